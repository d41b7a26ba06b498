"""Real streaming, in one process: the real store, organizer, link and REST surface; only the engine is by rote."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.service.organizer.conftest import NoChecks

from anabranch.service.api.server import serve_api
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line, Script
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.local import LocalPool

QUICK = 100.0
"""Tokens a second."""


def counting(word: str, count: int = 60) -> Script:
    """A model that goes on where the text stands, with words of its own: another one never says the same."""

    def write(request: DecodeRequest) -> Line:
        begun = request.context.continuation
        words = [f"{word}{number}" for number in range(len(begun.split()), count)]
        return Line(text=(" " if begun and not begun.endswith(" ") else "") + " ".join(words))

    return write


class Running:
    """An organizer that runs until it is told to drain, or is gone as by kill -9."""

    def __init__(self, url: str, name: str, script: Script, speed: float) -> None:
        self.store = Store(url)
        self._pool = LocalPool(ScriptedEngine(script, tokens_per_second=speed))
        self.organizer = Organizer(
            self.store,
            self._pool,
            NoChecks(),
            Traces(self.store, "scripted"),
            name=name,
            lease_seconds=1.0,
        )
        self._working: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.organizer.live.listen("127.0.0.1", 0)
        self._working = asyncio.create_task(self.organizer.run())

    async def drain(self) -> None:
        await self.organizer.drain()
        await self._end()

    async def die(self) -> None:
        """Nothing is handed over, nothing is said: what it does next is in vain, as the dead do nothing."""

        async def nothing(*_: Any, **__: Any) -> Any:
            await asyncio.Event().wait()

        self.store.database.write = nothing  # type: ignore[method-assign]
        held = [held.task for held in self.organizer._held.values() if held.task is not None]
        tasks = [task for task in (self._working, *held) if task is not None]
        for server_connection in tuple(self.organizer.live._server._connections):
            server_connection._socket.transport.abort()
        listening = self.organizer.live._server._server
        assert listening is not None
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=0.2)
        for task in tasks:
            task.cancel()

    async def _end(self) -> None:
        if self._working is not None:
            await self._working
        await self.organizer.live.close()
        await self._pool.close()
        await self.store.close()


@pytest.fixture
def settings(tmp_path: Path, empty_database: Path) -> Settings:
    chosen = Settings(state=tmp_path)
    Path(chosen.database.removeprefix("sqlite:///")).write_bytes(empty_database.read_bytes())
    return chosen


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    with serve_api(settings) as url:
        yield url


@asynccontextmanager
async def running(
    settings: Settings, script: Script, name: str = "one", speed: float = QUICK
) -> AsyncIterator[Running]:
    organizer = Running(settings.database, name, script, speed)
    await organizer.start()
    try:
        yield organizer
    finally:
        await organizer.drain()


async def events_of(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """Each event of a stream: its name, and its data."""
    name = "message"
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: ") and line != "data: [DONE]":
            yield name, json.loads(line.removeprefix("data: "))


async def linked(client: httpx.AsyncClient) -> None:
    """Returns when the REST surface has found the organizer."""
    while not (await client.get("/readyz")).json()["replicas"]:
        await asyncio.sleep(0.05)


async def chat(
    client: httpx.AsyncClient, policy: str = "sequential", **more: Any
) -> AsyncIterator[dict[str, Any]]:
    """The deltas of a streamed completion."""
    body = {
        "model": f"anabranch/{policy}",
        "messages": [{"role": "user", "content": "Count."}],
        "stream": True,
    }
    async with client.stream("POST", "/v1/chat/completions", json=body | more) as response:
        assert response.status_code == 200
        async for _, chunk in events_of(response):
            assert "error" not in chunk, chunk
            for choice in chunk["choices"]:
                yield choice["delta"] | {"job": chunk["id"].removeprefix("chatcmpl-")}


async def test_a_chat_streams_its_answer_while_it_is_decoded(address: str, settings: Settings) -> None:
    async with running(settings, counting("a")), httpx.AsyncClient(base_url=address, timeout=30) as client:
        await linked(client)
        deltas = [delta async for delta in chat(client)]
        job = (await client.get(f"/v1/jobs/{deltas[0]['job']}")).json()
    contents = [delta["content"] for delta in deltas if delta.get("content")]
    assert len(contents) > 2, "it came as it was decoded"
    assert "".join(contents) == job["answer"]["text"]
    assert not any(delta.get("reasoning") for delta in deltas)


async def test_a_stop_string_is_never_told(address: str, settings: Settings) -> None:
    async with running(settings, counting("a")), httpx.AsyncClient(base_url=address, timeout=30) as client:
        deltas = [delta async for delta in chat(client, stop=["a40 a4"])]
        job = (await client.get(f"/v1/jobs/{deltas[0]['job']}")).json()
    told = "".join(delta.get("content") or "" for delta in deltas)
    assert told == job["answer"]["text"] and told.endswith("a39")


async def test_candidates_are_reasoning_and_the_answer_comes_when_it_is_decided(
    address: str, settings: Settings
) -> None:
    def votes(request: DecodeRequest) -> Line:
        return Line(text="I say \\boxed{7}")

    async with running(settings, votes), httpx.AsyncClient(base_url=address, timeout=30) as client:
        deltas = [delta async for delta in chat(client, "self-consistency", anabranch={"params": {"n": 3}})]
    contents = [delta["content"] for delta in deltas if delta.get("content")]
    assert contents == ["7"]
    reasoning = "".join(delta.get("reasoning") or "" for delta in deltas)
    assert "[0.1] I say \\boxed{7}" in reasoning
    assert reasoning == "".join(delta.get("reasoning_content") or "" for delta in deltas)


@pytest.mark.parametrize("ends", ["die", "drain"])
async def test_an_organizer_that_goes_in_mid_stream_costs_no_character_and_doubles_none(
    ends: str, address: str, settings: Settings
) -> None:
    """The second organizer's model says other words: whatever was told of the first one's must stand."""
    first = Running(settings.database, "first", counting("a"), 60.0)
    await first.start()
    told = ""
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        successor = None
        await linked(client)
        async for delta in chat(client):
            told += delta.get("content") or ""
            if successor is None and "a9" in told:
                await getattr(first, ends)()
                successor = Running(settings.database, "second", counting("b"), QUICK)
                await successor.start()
            job = delta["job"]
        row = (await client.get(f"/v1/jobs/{job}")).json()
        assert successor is not None
        await successor.drain()
    assert told == row["answer"]["text"]
    assert told.split()[:10] == [f"a{number}" for number in range(10)]
    assert told.split()[-1] == "b59" and len(told.split()) == 60


async def test_text_events_are_the_text_of_each_segment_before_its_end_is_told(
    address: str, settings: Settings
) -> None:
    def samples(request: DecodeRequest) -> Line:
        return Line(text="".join(f"w{number} " for number in range(30)) + "\\boxed{7}")

    texts: dict[tuple[str, int], str] = {}
    counted: dict[tuple[str, int], int] = {}
    ended = 0
    async with running(settings, samples), httpx.AsyncClient(base_url=address, timeout=30) as client:
        body = {
            "question": "Count.",
            "policy": {"name": "self-consistency", "params": {"n": 3, "stop": "all"}},
        }
        await linked(client)
        job = (await client.post("/v1/jobs", json=body)).json()["id"]
        live = 0
        async with client.stream("GET", f"/v1/jobs/{job}/events?text=all") as response:
            async for name, data in events_of(response):
                if name == "text":
                    place = data["branch"], data["segment"]
                    texts[place] = texts.get(place, "")[: data["at"]] + data["text"]
                    assert data["tokens"] >= max(1, counted.get(place, 0))
                    counted[place] = data["tokens"]
                    live += 1
                elif name == "SegmentFinished":
                    place = data["branch"], data["payload"]["segment"]
                    assert texts.pop(place) == data["payload"]["decoded"]["text"]
                    assert counted[place] <= data["payload"]["decoded"]["usage"]["completion_tokens"]
                    ended += 1
        assert ended == 3 and live > 6
        async with client.stream("GET", f"/v1/jobs/{job}/events?text=answer") as response:
            assert "text" not in [name async for name, _ in events_of(response)], "no final thought, no text"


async def test_who_comes_later_gets_the_text_so_far_once(address: str, settings: Settings) -> None:
    async with (
        running(settings, counting("a"), speed=60),
        httpx.AsyncClient(base_url=address, timeout=30) as client,
    ):
        body = {"question": "Count.", "policy": {"name": "sequential"}}
        await linked(client)
        job = (await client.post("/v1/jobs", json=body)).json()["id"]
        whole = ""
        async with client.stream("GET", f"/v1/jobs/{job}/events?text=answer") as response:
            async for name, data in events_of(response):
                whole = whole[: data["at"]] + data["text"] if name == "text" else whole
                if "a9" in whole:
                    break
        pieces = []
        resumed = {"Last-Event-ID": "3"}
        async with client.stream("GET", f"/v1/jobs/{job}/events?text=answer", headers=resumed) as response:
            async for name, data in events_of(response):
                if name == "text":
                    pieces.append(data)
        answer = (await client.get(f"/v1/jobs/{job}")).json()["answer"]["text"]
    assert pieces[0]["at"] == 0 and pieces[0]["text"].startswith("a0 a1 a2")
    told = ""
    for piece in pieces:
        assert piece["at"] == len(told), "nothing twice, nothing left out"
        told += piece["text"]
    assert told.strip() == answer
