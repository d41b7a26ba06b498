"""Which models a pool serves: told to clients, and refused where there is no such one, before anything is written."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from tests.workers.engines.upstream import Upstream, serving

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.served import ServedModels
from anabranch.service.settings import PoolDeclaration, Settings
from anabranch.service.store.store import Store

ASK = [{"role": "user", "content": "?"}]


@pytest.fixture
async def asked(app: FastAPI, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A service whose pool is an upstream of two models."""
    upstream = Upstream(models=("small", "large"))
    with serving(upstream):
        chosen = settings.model_copy(update={"engine": "openai", "upstream_url": upstream.url})
        deps: Dependencies = app.state.deps
        served = create_app(replace(deps, served=ServedModels(chosen)))
        transport = httpx.ASGITransport(served, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield client


async def test_a_job_of_a_model_that_is_not_served_is_refused_with_the_list(
    asked: httpx.AsyncClient, store: Store
) -> None:
    response = await asked.post("/v1/jobs", json={"question": "?", "model": "huge"})
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert fault == {"path": "model", "message": "no pool serves 'huge'; there are: small, large"}
    assert (await store.jobs.list_page()).items == ()
    taken = await asked.post("/v1/jobs", json={"question": "?", "model": "large"})
    assert (taken.status_code, taken.json()["model"]) == (202, "large")


async def test_a_job_that_was_taken_is_told_again_though_its_model_is_gone(
    app: FastAPI, settings: Settings, asked: httpx.AsyncClient
) -> None:
    """Its client may not have heard the first answer: as when REST is upgraded with the pools."""
    body, key = {"question": "?", "model": "large"}, {"Idempotency-Key": "one"}
    taken = await asked.post("/v1/jobs", json=body, headers=key)
    pools = {"other": PoolDeclaration(engine="scripted", model="other")}
    later = ServedModels(settings.model_copy(update={"pools": pools}))
    transport = httpx.ASGITransport(create_app(replace(app.state.deps, served=later)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as upgraded:
        again = await upgraded.post("/v1/jobs", json=body, headers=key)
        assert (again.json().get("id"), again.is_success) == (taken.json()["id"], True)
        new = await upgraded.post("/v1/jobs", json=body, headers={"Idempotency-Key": "two"})
        assert new.status_code == 422


async def test_chat_names_a_policy_and_a_model(asked: httpx.AsyncClient, store: Store) -> None:
    body = {"model": "anabranch/sequential@huge", "messages": ASK}
    refused = await asked.post("/v1/chat/completions", json=body)
    assert refused.status_code == 404
    assert "behind @ may stand: small, large" in refused.json()["error"]["message"]
    assert (await store.jobs.list_page()).items == ()


async def test_models_are_listed_alone_and_with_those_of_the_pool(asked: httpx.AsyncClient) -> None:
    listed = [each["id"] for each in (await asked.get("/v1/models")).json()["data"]]
    assert {"anabranch/plan", "anabranch/plan@small", "anabranch/plan@large"} < set(listed)
    assert (await asked.get("/v1/models/anabranch/plan@large")).json()["id"] == "anabranch/plan@large"
    assert (await asked.get("/v1/models/anabranch/plan@huge")).status_code == 404


async def test_an_upstream_that_shows_no_list_lets_any_model_be_named(settings: Settings) -> None:
    upstream = Upstream(listing=500)
    with serving(upstream):
        chosen = settings.model_copy(
            update={"engine": "openai", "upstream_url": upstream.url, "model": "mine"}
        )
        served = ServedModels(chosen)
        assert await served.names() is None
        await served.check("anything")
        upstream.listing = 200
        assert await served.names() is None  # asked again a minute later


async def test_a_list_is_believed_for_a_minute(settings: Settings) -> None:
    now = [0.0]
    upstream = Upstream(models=("small",))
    with serving(upstream):
        chosen = settings.model_copy(
            update={"engine": "openai", "upstream_url": upstream.url, "model": "mine"}
        )
        served = ServedModels(chosen, clock=lambda: now[0])
        assert await served.names() == ("mine", "small")
        upstream.models = ("small", "new")
        assert await served.names() == ("mine", "small")
        now[0] = 61.0
        assert await served.names() == ("mine", "small", "new")


async def test_an_engine_of_its_own_serves_one(settings: Settings) -> None:
    chosen = settings.model_copy(update={"engine": "scripted", "model": "recorded"})
    assert await ServedModels(chosen).names() == ("recorded",)


POOLS = {
    "small": PoolDeclaration(engine="scripted", model="s-1", adapters=["sql"]),
    "large": PoolDeclaration(engine="scripted", model="l-1"),
}


@pytest.fixture
async def of_pools(app: FastAPI, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A service of two pools."""
    chosen = settings.model_copy(update={"engine": "vllm", "pools": POOLS})
    deps: Dependencies = app.state.deps
    served = create_app(replace(deps, settings=chosen, served=ServedModels(chosen)))
    transport = httpx.ASGITransport(served, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


THERE = "there are: small, s-1, sql, large, l-1"


@pytest.mark.parametrize("model", ["small", "s-1", "sql", "large"])
async def test_a_pool_its_model_and_its_adapters_may_be_named(
    of_pools: httpx.AsyncClient, model: str
) -> None:
    plan = {"name": "plan", "params": {"planner_model": model, "worker_model": None}}
    taken = await of_pools.post("/v1/jobs", json={"question": "?", "model": model, "policy": plan})
    assert (taken.status_code, taken.json()["model"]) == (202, model)


async def test_all_models_that_a_job_names_are_checked_before_it_is_written(
    of_pools: httpx.AsyncClient, store: Store
) -> None:
    plan = {"name": "plan", "params": {"planner_model": "huge", "worker_model": "tiny"}}
    refused = await of_pools.post("/v1/jobs", json={"question": "?", "model": "none", "policy": plan})
    assert refused.status_code == 422
    assert {each["path"]: each["message"] for each in refused.json()["errors"]} == {
        "model": f"no pool serves 'none'; {THERE}",
        "policy.params.planner_model": f"no pool serves 'huge'; {THERE}",
        "policy.params.worker_model": f"no pool serves 'tiny'; {THERE}",
    }
    assert (await store.jobs.list_page()).items == ()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_openais_surfaces_refuse_a_model_in_openais_words(
    of_pools: httpx.AsyncClient, store: Store, path: str
) -> None:
    ask = {"messages": ASK} if "chat" in path else {"input": "?"}
    refused = await of_pools.post(path, json={"model": "anabranch/plan@huge", **ask})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["type"]) == (
        404,
        "model_not_found",
        "invalid_request_error",
    )
    assert "small, s-1, sql, large, l-1" in error["message"]
    params = {"anabranch": {"params": {"worker_model": "huge"}}}
    refused = await of_pools.post(path, json={"model": "anabranch/plan@small", **ask, **params})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "anabranch.params.worker_model")
    assert (await store.jobs.list_page()).items == ()


async def test_a_run_again_of_a_job_whose_pool_is_gone_is_refused(
    of_pools: httpx.AsyncClient, app: FastAPI, store: Store
) -> None:
    taken = (await of_pools.post("/v1/jobs", json={"question": "?", "model": "large"})).json()
    claims = await store.queue.claim("organizer", 60.0, 1)
    child = BranchId("0.1")
    events = (
        e.JobClaimed(owner="o", attempt=1),
        e.BranchForked(child=child, role="worker"),
        e.BranchFailed(branch=child, cause="refused"),
        e.BranchFailed(cause="refused"),
        e.JobFailed(type="no-answer", title="No answer"),
    )
    await store.journal.append(claims[0].job, claims[0].epoch, events)
    gone = app.state.deps.settings.model_copy(
        update={"engine": "vllm", "pools": {name: each for name, each in POOLS.items() if name != "large"}}
    )
    served = create_app(replace(app.state.deps, settings=gone, served=ServedModels(gone)))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(served), base_url="http://127.0.0.1:8000"
    ) as client:
        refused = await client.post(f"/v1/jobs/{taken['id']}/replay", json={"branch": "0.1", "output": "7"})
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"path": "model", "message": "no pool serves 'large'; there are: small, s-1, sql"}
    ]


async def test_models_are_listed_with_each_name_of_each_pool(of_pools: httpx.AsyncClient) -> None:
    listed = {each["id"] for each in (await of_pools.get("/v1/models")).json()["data"]}
    names = ("small", "s-1", "sql", "large", "l-1")
    assert {"anabranch/plan", *(f"anabranch/plan@{name}" for name in names)} <= listed
