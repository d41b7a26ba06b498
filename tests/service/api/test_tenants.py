"""With tenants, a key opens every door, and behind each of them there are only its owner's jobs."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from anabranch.dag import events as e
from anabranch.service.api.app import create_app
from anabranch.service.api.guards import PROBES
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.service.tenants.file import add_key
from anabranch.service.tenants.keyring import Keyring

Q = {"question": "What is six times seven?"}
OPERATORS_ONLY = {"/metrics"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tenants.json"


@pytest.fixture
def keys(path: Path) -> dict[str, str]:
    """One for each of two tenants, and an operator's."""
    made = {name: add_key(path, name) for name in ("acme", "other")}
    return made | {"us": add_key(path, "us", operator=True)}


@pytest.fixture
def app(path: Path, keys: dict[str, str], settings: Settings, store: Store, organizers: Any) -> FastAPI:
    feed = Feed(store.journal)
    return create_app(
        Dependencies(
            settings=settings,
            store=store,
            feed=feed,
            organizers=organizers,
            keyring=Keyring(store.keys, file=path),
        )
    )


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def rewrite(path: Path, **acme: Any) -> None:
    tenants = json.loads(path.read_text())
    tenants["acme"] |= acme
    path.write_text(json.dumps(tenants))


def breaking(path: Path, written: str | None) -> None:
    if written is None:
        path.unlink()
    else:
        path.write_text(written)


@pytest.fixture
async def acmes(client: httpx.AsyncClient, keys: dict[str, str]) -> str:
    """A job of acme's."""
    response = await client.post("/v1/jobs", json=Q, headers=bearer(keys["acme"]))
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Every method and path that the service answers, from its own description."""
    return [
        (method.upper(), path)
        for path, operations in app.openapi()["paths"].items()
        for method in operations
        if path not in PROBES
    ]


async def test_no_route_but_health_is_there_without_a_key(app: FastAPI, client: httpx.AsyncClient) -> None:
    paths = [*routes(app), ("GET", "/"), ("GET", "/jobs/x"), ("GET", "/docs"), ("GET", "/openapi.json")]
    assert len(paths) > 20
    for method, route in paths:
        response = await client.request(method, re.sub(r"\{[^}]*\}", "x", route))
        assert response.status_code == 401, (method, route)
        assert response.headers["www-authenticate"].startswith("Basic realm")
        assert response.json()["type"] == "urn:anabranch:no-key"
    assert {(await client.get(route)).status_code for route in PROBES} == {200}


async def test_every_route_with_a_job_in_it_hides_another_tenants(
    app: FastAPI, client: httpx.AsyncClient, keys: dict[str, str], acmes: str
) -> None:
    with_job = [
        (method, route) for method, route in routes(app) if "{job}" in route or "{completion}" in route
    ]
    assert len(with_job) >= 8
    for method, route in with_job:
        path = route.format(job=acmes, branch="0", completion=acmes)
        body = {"branch": "0", "output": "x"} if method == "POST" else None
        params = {"format": "jsonl"} if path.endswith("export") else None
        theirs = await client.request(method, path, json=body, params=params, headers=bearer(keys["other"]))
        assert theirs.status_code == 404, (method, route, theirs.text)
        assert theirs.json()["detail"] == f"There is no job {acmes}.", "as if it did not exist"
    assert (await client.get(f"/v1/jobs/{acmes}", headers=bearer(keys["acme"]))).status_code == 200
    assert not (await client.get(f"/v1/jobs/{acmes}", headers=bearer(keys["us"]))).json()["cancel_requested"]


def test_all_routes_are_known_to_the_walk(app: FastAPI) -> None:
    """A route that is kept out of the description would be kept out of these tests, too."""
    undescribed = {r.path for r in app.routes if isinstance(r, APIRoute) and not r.include_in_schema}
    assert not any("{job}" in path for path in undescribed)


async def test_lists_and_streams_tell_of_ones_own_jobs_only(
    client: httpx.AsyncClient, keys: dict[str, str], acmes: str
) -> None:
    async def listed(name: str, **params: str) -> list[str]:
        page = await client.get("/v1/jobs", params=params, headers=bearer(keys[name]))
        return [item["id"] for item in page.json()["items"]]

    assert (await listed("acme"), await listed("other"), await listed("us")) == ([acmes], [], [acmes])
    assert (await listed("us", tenant="acme"), await listed("us", tenant="other")) == ([acmes], [])
    refused = await client.get("/v1/jobs", params={"tenant": "acme"}, headers=bearer(keys["other"]))
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:anabranch:forbidden")
    stream = await client.get("/v1/stream", params={"jobs": acmes}, headers=bearer(keys["other"]))
    assert stream.status_code == 404


async def test_the_loads_and_changes_of_others_are_not_streamed(app: FastAPI, acmes: str) -> None:
    load = {name: json.loads(await app.state.load_of(name).as_json()) for name in ("acme", "other", None)}
    assert [load[name]["queued"] for name in ("acme", "other", None)] == [1, 0, 1]
    changed = {name: (await app.state.listing_of(name).since(0))[1] for name in ("acme", "other", None)}
    assert [len(changed[name]) for name in ("acme", "other", None)] == [1, 0, 1]
    assert acmes in changed["acme"][0]


async def test_only_operators_see_what_is_about_all(client: httpx.AsyncClient, keys: dict[str, str]) -> None:
    for route in OPERATORS_ONLY:
        assert (await client.get(route, headers=bearer(keys["acme"]))).status_code == 403
        assert (await client.get(route, headers=bearer(keys["us"]))).status_code == 200


async def test_a_gate_is_decided_by_its_own_tenant_who_is_named(
    client: httpx.AsyncClient, keys: dict[str, str], acmes: str, organizer: Any, store: Store
) -> None:
    await organizer.append(
        acmes,
        e.ApprovalRequested(
            approval=1, gate="plan", subject="A plan.", timeout=None, default=e.Choice.REJECT
        ),
    )

    async def gates(name: str) -> list[dict[str, Any]]:
        found = await client.get("/v1/approvals", headers=bearer(keys[name]))
        return list(found.json()["items"])

    (gate,) = await gates("acme")
    assert await gates("other") == []
    where, decision = f"/v1/approvals/{gate['id']}", {"decision": "approve"}
    assert (await client.post(where, json=decision, headers=bearer(keys["other"]))).status_code == 404
    assert (await client.get(where, headers=bearer(keys["other"]))).status_code == 404
    assert (await client.get(where, headers=bearer(keys["acme"]))).json()["subject"] == "A plan."
    assert (await client.post(where, json=decision, headers=bearer(keys["acme"]))).status_code == 200
    (row,) = await store.jobs.list_approvals("decided")
    assert row.decided_by == "acme"


async def test_tenants_do_not_share_idempotency_keys(client: httpx.AsyncClient, keys: dict[str, str]) -> None:
    made = set()
    for name in ("acme", "other"):
        headers = bearer(keys[name]) | {"Idempotency-Key": "k"}
        made.add((await client.post("/v1/jobs", json=Q, headers=headers)).json()["id"])
    assert len(made) == 2


async def test_a_browser_sends_the_key_as_a_password(
    client: httpx.AsyncClient, keys: dict[str, str], acmes: str
) -> None:
    told = base64.b64encode(f"anyone:{keys['acme']}".encode()).decode()
    assert (
        await client.get(f"/v1/jobs/{acmes}", headers={"Authorization": f"Basic {told}"})
    ).status_code == 200
    for wrong in (
        "Basic ???",
        "Basic " + base64.b64encode(b"\xff:x").decode(),
        "Digest x",
        "Bearer ",
        "Bearer x",
    ):
        assert (await client.get("/v1/jobs", headers={"Authorization": wrong})).status_code == 401


def test_the_description_says_that_a_key_is_needed(app: FastAPI) -> None:
    described = app.openapi()
    assert described["security"] == [{"key": []}]
    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


async def test_openai_clients_are_told_in_their_words(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/models")
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"


class TestTheQuota:
    @pytest.fixture
    def limited(self, path: Path, keys: dict[str, str]) -> dict[str, str]:
        rewrite(path, tokens_per_day=1000, tokens_per_job=400)
        return bearer(keys["acme"])

    async def test_is_kept_and_says_when_to_come_back(
        self, client: httpx.AsyncClient, limited: dict[str, str]
    ) -> None:
        first = await client.post("/v1/jobs", json=Q, headers=limited)
        assert first.json()["budget"]["tokens"] == 400, "a job that names no budget gets the tenant's own"
        await client.post("/v1/jobs", json=Q, headers=limited)
        refused = await client.post("/v1/jobs", json=Q, headers=limited)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:anabranch:quota-spent")
        assert int(refused.headers["retry-after"]) >= 1
        smaller = Q | {"budget": {"tokens": 200}}
        assert (await client.post("/v1/jobs", json=smaller, headers=limited)).status_code == 202
        assert len((await client.get("/v1/jobs", headers=limited)).json()["items"]) == 3

    async def test_holds_for_chat_completions_too(
        self, client: httpx.AsyncClient, limited: dict[str, str]
    ) -> None:
        await client.post("/v1/jobs", json=Q | {"budget": {"tokens": 900}}, headers=limited)
        sent = {"model": "anabranch/sequential", "messages": [{"role": "user", "content": "Hi"}]}
        refused = await client.post("/v1/chat/completions", json=sent, headers=limited)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")


class TestTheFile:
    async def test_a_new_key_counts_at_once(
        self, client: httpx.AsyncClient, path: Path, keys: dict[str, str]
    ) -> None:
        assert (await client.get("/v1/jobs", headers=bearer(keys["acme"]))).status_code == 200
        new = add_key(path, "newcomer")
        assert (await client.get("/v1/jobs", headers=bearer(new))).status_code == 200

    async def test_a_key_that_is_taken_out_opens_nothing_any_more(
        self, client: httpx.AsyncClient, path: Path, keys: dict[str, str]
    ) -> None:
        rewrite(path, keys=[])
        assert (await client.get("/v1/jobs", headers=bearer(keys["acme"]))).status_code == 401
        assert (await client.get("/v1/jobs", headers=bearer(keys["other"]))).status_code == 200

    @pytest.mark.parametrize("broken", ["{", None])
    async def test_one_that_breaks_locks_nobody_out(
        self, broken: str | None, client: httpx.AsyncClient, path: Path, keys: dict[str, str]
    ) -> None:
        breaking(path, broken)
        assert (await client.get("/v1/jobs", headers=bearer(keys["acme"]))).status_code == 200
