"""Which models a pool serves: told to clients, and refused where there is no such one, before anything is written."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from tests.workers.engines.upstream import Upstream, serving

from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.served import ServedModels
from anabranch.service.settings import Settings
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
    assert fault == {"path": "model", "message": "this pool does not serve 'huge'; it serves: small, large"}
    assert (await store.jobs.list_page()).items == ()
    taken = await asked.post("/v1/jobs", json={"question": "?", "model": "large"})
    assert (taken.status_code, taken.json()["model"]) == (202, "large")


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
