"""Keys of the store at the door: they count within a second, end what they opened, and are counted and never told."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from anabranch.service.api import auth
from anabranch.service.api.answering import waiting
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.exports.registry import export_formats
from anabranch.service.settings import Settings
from anabranch.service.store.keys import MadeKey, NewKey, name_of
from anabranch.service.store.store import Store
from anabranch.service.tenants import keyring
from anabranch.service.tenants.file import Usual
from anabranch.service.tenants.keyring import Keyring

Q = {"question": "What is six times seven?"}
CHAT = {"model": "anabranch/sequential", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
ALL = ["submit", "read", "approve", "admin"]
LONG = 60.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(auth, "ASK_AGAIN_SECONDS", 0.02)


@pytest.fixture
def usual() -> Usual:
    return Usual()


@pytest.fixture
async def app(settings: Settings, store: Store, organizers: Any, usual: Usual) -> AsyncIterator[FastAPI]:
    ring = Keyring(store.keys, usual=usual)
    feed = Feed(store.journal)
    yield create_app(
        Dependencies(settings=settings, store=store, feed=feed, organizers=organizers, keyring=ring)
    )
    await feed.close()


@pytest.fixture
async def key(store: Store) -> MadeKey:
    return await store.keys.make(NewKey(tenant="acme", roles=ALL))


def bearer(key: MadeKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.key}"}


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Over a real connection: a stream is read while it is written."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LONG) as client:
            yield client
    finally:
        server.should_exit = True
        await serving


async def test_the_first_key_closes_the_service_and_revoking_it_does_not_open_it(
    client: httpx.AsyncClient, store: Store
) -> None:
    assert (await client.get("/v1/jobs")).status_code == 200
    key = await store.keys.make(NewKey(tenant="acme", roles=ALL))
    assert (await client.get("/v1/jobs")).status_code == 401
    assert (await client.get("/v1/jobs", headers=bearer(key))).status_code == 200
    await store.keys.revoke(key.row.name)
    assert (await client.get("/v1/jobs", headers=bearer(key))).status_code == 401
    assert (await client.get("/v1/jobs")).status_code == 401


async def test_a_rotated_key_and_its_successor_open_both_until_the_grace_is_over(
    client: httpx.AsyncClient, store: Store, key: MadeKey
) -> None:
    new = await store.keys.rotate(key.row.name, 3600)
    for each in (key, new):
        assert (await client.get("/v1/jobs", headers=bearer(each))).status_code == 200
    await store.keys.rotate(new.row.name, 0)
    assert (await client.get("/v1/jobs", headers=bearer(new))).status_code == 401


@pytest.mark.parametrize("way", ["events", "page", "chat"])
async def test_what_a_key_has_opened_is_closed_when_it_is_revoked(
    app: FastAPI, store: Store, key: MadeKey, way: str
) -> None:
    async with served(app) as client:
        job = (await client.post("/v1/jobs", json=Q, headers=bearer(key))).json()["id"]
        path = {"events": f"/v1/jobs/{job}/events", "page": "/v1/stream", "chat": "/v1/chat/completions"}[way]
        method, sent = ("POST", CHAT) if way == "chat" else ("GET", None)
        async with client.stream(method, path, json=sent, headers=bearer(key)) as stream:
            assert stream.status_code == 200
            pieces = stream.aiter_bytes()
            await anext(pieces)
            await store.keys.revoke(key.row.name)
            async with asyncio.timeout(LONG):
                async for _ in pieces:  # it ends, and ends whole: or else httpx would raise
                    pass


async def test_whoever_waits_for_an_answer_is_told_when_the_key_ends(
    app: FastAPI, store: Store, key: MadeKey
) -> None:
    async with served(app) as client:
        job = (await client.post("/v1/jobs", json=Q, headers=bearer(key))).json()["id"]
        waiting = asyncio.create_task(client.get(f"/v1/jobs/{job}?wait=600", headers=bearer(key)))
        while not waiting.done():  # whichever comes first: the wait, or the end of the key
            await store.keys.revoke(key.row.name)
            await asyncio.sleep(0.05)
        assert (await waiting).status_code == 401
    assert (await store.jobs.get(job)).cancel_requested is None, "its job goes on"


@pytest.mark.parametrize("way", ["chat", "responses"])
async def test_a_job_goes_on_whose_stream_is_closed_because_its_key_ends(
    app: FastAPI, store: Store, key: MadeKey, way: str
) -> None:
    path, sent = {
        "chat": ("/v1/chat/completions", CHAT),
        "responses": ("/v1/responses", {"model": "anabranch/sequential", "input": "Hi", "stream": True}),
    }[way]
    async with served(app) as client, client.stream("POST", path, json=sent, headers=bearer(key)) as stream:
        pieces = stream.aiter_bytes()
        await anext(pieces)
        await store.keys.revoke(key.row.name)
        async for _ in pieces:
            pass
        await asyncio.gather(*waiting._ERRANDS)
    (job,) = (await store.jobs.list_page()).items
    assert job.cancel_requested is None


async def test_a_stream_of_another_key_goes_on(app: FastAPI, store: Store, key: MadeKey) -> None:
    other = await store.keys.make(NewKey(tenant="acme", roles=ALL))
    async with served(app) as client, client.stream("GET", "/v1/stream", headers=bearer(other)) as kept:
        pieces = kept.aiter_bytes()
        await anext(pieces)
        async with client.stream("GET", "/v1/stream", headers=bearer(key)) as ended:
            await store.keys.revoke(key.row.name)
            async for _ in ended.aiter_bytes():
                pass
        await client.post("/v1/jobs", json=Q, headers=bearer(other))
        assert b"load" in await anext(pieces)


class TestTheLimits:
    @pytest.fixture
    def usual(self) -> Usual:
        return Usual(requests_per_minute=4, streams=1)

    async def test_requests_are_counted_and_told(self, client: httpx.AsyncClient, key: MadeKey) -> None:
        answers = [await client.get("/v1/jobs", headers=bearer(key)) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
        assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["3", "2", "1", "0", "0"]
        refused = answers[-1]
        assert refused.json()["type"] == "urn:anabranch:too-many-requests"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-limit-requests"] == "4"
        assert (await client.get("/docs/plain", headers=bearer(key))).status_code == 200
        assert (await client.get("/healthz")).status_code == 200

    async def test_nothing_is_done_for_a_request_that_is_refused(
        self, client: httpx.AsyncClient, key: MadeKey, store: Store
    ) -> None:
        for _ in range(6):
            await client.post("/v1/jobs", json=Q, headers=bearer(key))
        assert len((await store.jobs.list_page()).items) == 4

    async def test_openai_clients_are_told_in_their_words(
        self, client: httpx.AsyncClient, key: MadeKey
    ) -> None:
        answers = [await client.get("/v1/models", headers=bearer(key)) for _ in range(5)]
        assert answers[-1].json()["error"]["code"] == "rate_limit_exceeded"


class TestStreams:
    @pytest.fixture
    def usual(self) -> Usual:
        return Usual(streams=1)

    async def test_as_many_are_open_as_may_be_whichever_way(
        self, app: FastAPI, store: Store, key: MadeKey
    ) -> None:
        async with served(app) as client:
            job = (await client.post("/v1/jobs", json=Q, headers=bearer(key))).json()["id"]
            ways = streams_of(app, job)
            assert len(ways) >= 6
            async with client.stream("GET", "/v1/stream", headers=bearer(key)):
                for method, path, sent in ways:
                    refused = await client.request(method, path, json=sent, headers=bearer(key))
                    assert refused.status_code == 429, (method, path, refused.text)
                    assert refused.json()["type"] == "urn:anabranch:too-many-streams"
                    assert "retry-after" in refused.headers
                assert (await client.get(f"/v1/jobs/{job}", headers=bearer(key))).status_code == 200
            assert len((await store.jobs.list_page()).items) == 1, "no refused chat made a job"
            async with asyncio.timeout(LONG):
                while (
                    again := await first(client, key)
                ) == 429:  # until the server sees that the first has gone
                    await asyncio.sleep(0.01)
            assert again == 200


def streams_of(app: FastAPI, job: str) -> list[tuple[str, str, Any]]:
    """Each route whose description says that it may stream, and a request that asks for it."""
    bodies = {"/v1/chat/completions": CHAT, "/v1/responses": {"input": "Hi", "stream": True}}
    found = []
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            if "text/event-stream" in operation["responses"].get("200", {}).get("content", {}):
                filled = path.format(job=job, completion=job, response=f"resp_{job.replace('-', '')}")
                asks = "" if method == "post" else "?stream=true"
                if "/responses/" not in path:  # of which there is none: its own tests ask
                    found.append((method.upper(), filled + asks, bodies.get(path)))
    return [*found, ("GET", f"/v1/jobs/{job}/events?after=1", None)]


async def first(client: httpx.AsyncClient, key: MadeKey) -> int:
    async with client.stream("GET", "/v1/stream", headers=bearer(key)) as stream:
        return stream.status_code


async def test_keys_are_in_no_log_answer_journal_export_trace_or_row(
    app: FastAPI,
    client: httpx.AsyncClient,
    store: Store,
    settings: Settings,
    organizer: Any,
    key: MadeKey,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All that a key can come past, with one that counts and one that does not: then all is searched."""
    caplog.set_level(logging.DEBUG)
    wrong = "ab-deadbeef-" + "w" * 43
    secrets = (key.key.removeprefix(name_of(key.key)), wrong)
    told: list[str] = []

    async def ask(method: str, path: str, told_key: str = key.key, **more: Any) -> httpx.Response:
        sent = await client.request(method, path, headers={"Authorization": f"Bearer {told_key}"}, **more)
        told.append(f"{sent.headers}{sent.text}")
        return sent

    job = (await ask("POST", "/v1/jobs", json=Q)).json()["id"]
    await organizer.answer(job)
    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/events?after=0", f"/v1/jobs/{job}/graph", "/v1/key"):
        await ask("GET", path)
        assert (await ask("GET", path, wrong)).status_code == 401
    for name in export_formats():
        assert (await ask("GET", f"/v1/jobs/{job}/export?format={name}")).status_code == 200
    for method, path, body in (
        ("POST", "/v1/jobs", {"question": 7}),
        ("GET", "/v1/jobs/none", None),
        ("DELETE", "/v1/jobs", None),
        ("POST", "/v1/approvals/none", {"decision": "approve"}),
    ):
        assert (await ask(method, path, json=body)).status_code >= 400
    basic = httpx.BasicAuth("acme", key.key)
    told.append((await client.get("/v1/jobs", auth=basic)).text)
    app.router.add_api_route("/v1/fault", fault)
    with suppress(KeyError):
        await ask("GET", "/v1/fault")
    kept = b"".join(path.read_bytes() for path in files(settings.state))  # the database, and its log
    for secret in secrets:
        assert not [text for text in told if secret in text]
        assert secret not in caplog.text
        assert secret.encode() not in kept
    assert key.row.name.encode() in kept and job.encode() in kept, "the search finds what there is"
    assert caplog.records


def fault() -> Mapping[str, str]:
    raise RuntimeError("a fault of the service")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_key_is_not_shown_by_what_prints_it(key_settings: Settings, key: MadeKey) -> None:
    assert key.key not in repr(key)
    assert "ab-secret" not in f"{key_settings!r}{key_settings.model_dump_json()}"


@pytest.fixture
def key_settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path, key=SecretStr("ab-secret"))
