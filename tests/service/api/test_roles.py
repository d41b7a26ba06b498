"""Each route takes a role, and a key that is for something else gets 403 from all the others."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from anabranch.service.api import roles
from anabranch.service.api.app import create_app
from anabranch.service.api.guards import PROBES
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.api.roles import ANY_KEY, ROLES
from anabranch.service.settings import Settings
from anabranch.service.store.keys import NewKey
from anabranch.service.store.store import Store
from anabranch.service.tenants.callers import Role
from anabranch.service.tenants.keyring import Keyring

OF_OPERATORS = {"/metrics"}
Headers = Mapping[str, str]


@pytest.fixture
def app(settings: Settings, store: Store, organizers: Any) -> FastAPI:
    keyring = Keyring(store.keys)
    feed = Feed(store.journal)
    return create_app(
        Dependencies(settings=settings, store=store, feed=feed, organizers=organizers, keyring=keyring)
    )


@pytest.fixture
async def headers(store: Store) -> dict[str, Headers]:
    """With a key of each role alone, of one without any, and of an operator."""
    asked = {role.value: [role.value] for role in Role} | {"nothing": []}
    made = {name: await store.keys.make(NewKey(tenant="acme", roles=held)) for name, held in asked.items()}
    made["operator"] = await store.keys.make(NewKey(tenant="us", roles=["read"], operator=True))
    return {name: {"Authorization": f"Bearer {one.key}"} for name, one in made.items()}


def routes(app: FastAPI) -> list[tuple[str, str]]:
    return [
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods)
    ]


def test_every_route_has_a_role_and_nothing_else_has(app: FastAPI) -> None:
    assert {*routes(app)} == {*ROLES}
    assert len(ROLES) > 30


def test_no_request_waits_for_a_thread_before_its_route_runs(app: FastAPI) -> None:
    """FastAPI runs what is no coroutine function in one: on every request, a fifth of its processor time."""
    found = [route.dependant for route in app.routes if isinstance(route, APIRoute)]
    asked: set[Any] = set()
    while found:
        dependant = found.pop()
        found += dependant.dependencies
        asked |= {one.call for one in dependant.dependencies}
    assert len(asked) > 4
    assert [call for call in asked if not inspect.iscoroutinefunction(call)] == []


def test_a_route_without_a_role_keeps_the_service_from_starting(app: FastAPI) -> None:
    app.add_api_route("/v1/new", lambda: None, methods=["POST"])
    with pytest.raises(KeyError, match="/v1/new"):
        roles.check_roles(app)


def test_what_changes_something_takes_more_than_reading() -> None:
    changing = {
        wanted for (method, _), wanted in ROLES.items() if method != "GET" for wanted in [frozenset(wanted)]
    }
    assert ANY_KEY not in changing
    assert not any(Role.READ in wanted for wanted in changing)


async def test_a_key_opens_what_its_role_is_for_and_nothing_else(
    app: FastAPI, client: httpx.AsyncClient, headers: dict[str, Headers]
) -> None:
    for method, route in routes(app):
        path = re.sub(r"\{[^}]*\}", "x", route)
        wanted = ROLES[method, route]
        if route in PROBES or route in OF_OPERATORS or route == "/v1/stream":
            continue
        for name in ("nothing", *Role):
            told = await client.request(method, path, headers=headers[name])
            passes = not wanted or name == Role.ADMIN or name in wanted
            assert (told.status_code == 403) != passes, (method, route, name, told.text)
            if not passes:
                assert "takes a key with the role" in told.json()["detail"]
                assert told.json()["detail"].startswith(f"{method} {route}")


async def test_the_stream_of_a_page_and_the_metrics_are_refused_likewise(
    client: httpx.AsyncClient, headers: dict[str, Headers]
) -> None:
    assert (await client.get("/v1/stream", headers=headers["submit"])).status_code == 403
    assert (await client.get("/v1/stream?jobs=x", headers=headers["read"])).status_code == 404
    for name, status in (("admin", 403), ("read", 403), ("operator", 200)):
        assert (await client.get("/metrics", headers=headers[name])).status_code == status


async def test_a_key_that_only_submits_gets_its_job_told_once(
    client: httpx.AsyncClient, headers: dict[str, Headers]
) -> None:
    made = await client.post("/v1/jobs", json={"question": "Six times seven?"}, headers=headers["submit"])
    assert made.status_code == 202
    again = await client.get(made.headers["location"], headers=headers["submit"])
    assert (again.status_code, again.json()["type"]) == (403, "urn:anabranch:forbidden")
    assert "one is for: submit." in again.json()["detail"]
    assert (await client.get(made.headers["location"], headers=headers["read"])).status_code == 200
    refused = await client.post("/v1/jobs", json={"question": "And eight?"}, headers=headers["read"])
    assert refused.status_code == 403
    listed = (await client.get("/v1/jobs", headers=headers["read"])).json()["items"]
    assert len(listed) == 1, "nothing was written"


async def test_openai_clients_are_told_in_their_words(
    client: httpx.AsyncClient, headers: dict[str, Headers]
) -> None:
    sent = {"model": "anabranch/sequential", "messages": [{"role": "user", "content": "Hi"}]}
    told = await client.post("/v1/chat/completions", json=sent, headers=headers["read"])
    assert told.status_code == 403
    assert "role submit" in told.json()["error"]["message"]


async def test_a_key_can_ask_what_it_is_for(client: httpx.AsyncClient, headers: dict[str, Headers]) -> None:
    told = (await client.get("/v1/key", headers=headers["approve"])).json()
    assert (told["tenant"], told["roles"], told["operator"]) == ("acme", ["approve"], False)
    assert told["name"].startswith("ab-") and len(told["name"]) < 15
    assert (await client.get("/v1/key", headers=headers["admin"])).json()["roles"] == [*Role]
    assert (await client.get("/v1/key", headers=headers["operator"])).json()["operator"]


async def test_where_nobody_needs_a_key_everybody_may_all(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/key")).json()
    assert (told["name"], told["roles"], told["operator"]) == (None, [*Role], True)
