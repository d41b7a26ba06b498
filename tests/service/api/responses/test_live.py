"""The final thought is streamed as it is decoded, and a stream is taken up anywhere in the midst of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.service.api.responses.conftest import serving
from tests.service.test_streaming import QUICK, Running, counting, events_of, linked, running

from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Script

Event = dict[str, Any]
ASK = {"model": "anabranch/sequential", "input": "Count.", "background": True, "stream": True}


@pytest.fixture
async def client(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, timeout=60) as opened:
        yield opened


async def events(client: httpx.AsyncClient, response: str, after: int = -1) -> list[Event]:
    params = {"stream": "true"} | ({"starting_after": str(after)} if after >= 0 else {})
    async with client.stream("GET", f"/v1/responses/{response}", params=params) as stream:
        return [event async for _, event in events_of(stream)]


def words(told: list[Event]) -> str:
    return "".join(event["delta"] for event in told if event["type"] == "response.output_text.delta")


def thinking(word: str) -> Script:
    """A model that thinks, always the same, and then writes words of its own."""
    write = counting(word)
    return lambda request: replace(write(request), thought="".join(f"t{number} " for number in range(30)))


async def test_the_answer_comes_while_it_is_decoded_and_goes_on_elsewhere(
    client: httpx.AsyncClient, settings: Settings, store: Store
) -> None:
    async with running(settings, thinking("a")), serving(settings) as other:
        await linked(client)
        seen: list[Event] = []
        elsewhere: list[asyncio.Task[list[Event]]] = []
        async with httpx.AsyncClient(base_url=other, timeout=60) as reader:
            async with client.stream("POST", "/v1/responses", json=ASK) as stream:
                async for _, event in events_of(stream):
                    seen.append(event)
                    kind = event["type"].removesuffix(".delta")
                    if kind in ("response.output_text", "response.reasoning_summary_text") and (
                        event["delta"].strip() in ("t9", "a9", "a29")
                    ):
                        response = seen[0]["response"]["id"]
                        job = await store.jobs.get(response.removeprefix("resp_"))
                        assert job.finished_at is None, "it is live"
                        after = event["sequence_number"]
                        elsewhere.append(asyncio.create_task(events(reader, response, after)))
            assert len(elsewhere) == 3
            for task in elsewhere:
                rest = await task
                assert rest == seen[rest[0]["sequence_number"] :]
            assert await events(reader, response) == seen
    assert [event["sequence_number"] for event in seen] == list(range(len(seen)))
    assert words(seen) == seen[-1]["response"]["output"][-1]["content"][0]["text"]
    assert seen[-1]["response"]["output"][0]["summary"][0]["text"].split() == [f"t{n}" for n in range(30)]


@pytest.mark.parametrize("ends", ["die", "drain"])
@pytest.mark.parametrize("at", ["t9", "a9"])
async def test_an_organizer_that_goes_in_mid_stream_changes_no_event_that_was_sent(
    ends: str, at: str, client: httpx.AsyncClient, settings: Settings
) -> None:
    """The second organizer's model says other words: whatever was told of the first one's must stand."""
    first = Running(settings.database, "first", thinking("a"), 60.0)
    await first.start()
    await linked(client)
    seen: list[Event] = []
    successor = None
    async with client.stream("POST", "/v1/responses", json=ASK) as stream:
        async for _, event in events_of(stream):
            seen.append(event)
            if successor is None and event.get("delta", "").strip() == at:
                await getattr(first, ends)()
                successor = Running(settings.database, "second", thinking("b"), QUICK)
                await successor.start()
    assert successor is not None
    assert await events(client, seen[0]["response"]["id"]) == seen
    await successor.drain()
    reasoning, message = seen[-1]["response"]["output"]
    assert reasoning["summary"][0]["text"].split() == [f"t{number}" for number in range(30)]
    assert words(seen) == message["content"][0]["text"]
    assert words(seen).split()[-1] == "b59" and len(words(seen).split()) == 60
