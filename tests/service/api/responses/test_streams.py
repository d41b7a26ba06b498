"""Streams of responses: live, taken up again behind any event, by another process, after a restart."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from tests.service.api.conftest import Organizer, answer, decode, fork, join
from tests.service.api.responses.conftest import asking, serving

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store

VOTE = "anabranch/self-consistency"
TEXT = "It is forty-two,\n\nas everybody  knows: \u2028 42."
Event = dict[str, Any]


async def resume(url: str, response: str, after: int | None = None) -> list[Event]:
    """All events of a stream, which is written as the protocol has it."""
    params = {"stream": "true"} | ({} if after is None else {"starting_after": str(after)})
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        answer = await client.get(f"/v1/responses/{response}", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    *blocks, done = [one for one in answer.text.split("\n\n") if one and not one.startswith(":")]
    assert done == "data: [DONE]"
    events = []
    for name, data in (block.split("\n") for block in blocks):
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


async def begin(client: openai.AsyncOpenAI, **more: Any) -> JobId:
    response = await client.responses.create(model=VOTE, input="Why?", background=True, **more)
    return JobId(response.id.removeprefix("resp_"))


@pytest.fixture
async def another(settings: Settings, store: Store) -> AsyncIterator[str]:
    """Another REST process on the same store."""
    async with serving(settings) as url:
        yield url


async def test_a_stream_that_is_followed_live(
    openai_client: openai.AsyncOpenAI, organizer: Organizer
) -> None:
    stream = await openai_client.responses.create(model=VOTE, input="Why?", stream=True)
    created = await anext(stream)
    assert created.type == "response.created"
    assert created.response.status == "queued"
    job = created.response.id.removeprefix("resp_")
    await organizer.append(job, *fork("0.1", "0.2"))
    begun = [(await anext(stream)).type for _ in range(5)]
    assert begun == [
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.delta",
    ]
    await organizer.append(job, *decode("0.1", TEXT), *decode("0.2", TEXT))
    await organizer.append(job, *join("0.1", "0.2"), *answer(TEXT, "0.1", "0.2"))
    rest = [event async for event in stream]
    assert [event.sequence_number for event in rest] == list(range(6, 6 + len(rest)))
    completed = rest[-1]
    assert completed.type == "response.completed"
    assert completed.response.output_text == TEXT
    assert "".join(event.delta for event in rest if event.type == "response.output_text.delta") == TEXT


async def test_the_clients_own_stream_helper(openai_client: openai.AsyncOpenAI, organizer: Organizer) -> None:
    async with openai_client.responses.stream(model=VOTE, input="Why?") as stream:
        async for event in stream:
            if event.type == "response.created":
                await organizer.answer(event.response.id.removeprefix("resp_"), TEXT)
        final = await stream.get_final_response()
    assert final.output_text == TEXT
    assert final.usage is not None and final.usage.output_tokens == 20


async def test_a_stream_is_taken_up_behind_any_event(
    openai_client: openai.AsyncOpenAI, organizer: Organizer, address: str, another: str
) -> None:
    job = await begin(openai_client)
    await organizer.answer(job, TEXT)
    events = await resume(address, f"resp_{job}")
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"] == (await openai_client.responses.retrieve(f"resp_{job}")).to_dict()
    for seen in range(len(events)):
        assert await resume(another, f"resp_{job}", seen) == events[seen + 1 :]
    resumed = await openai_client.responses.retrieve(f"resp_{job}", stream=True, starting_after=4)
    assert [event.to_dict() async for event in resumed] == events[5:]
    async with openai_client.responses.stream(response_id=f"resp_{job}", starting_after=4) as helped:
        assert [event.sequence_number async for event in helped] == list(range(5, len(events)))


async def test_a_stream_is_taken_up_while_its_job_runs(
    openai_client: openai.AsyncOpenAI, organizer: Organizer, address: str, another: str
) -> None:
    job = await begin(openai_client)
    await organizer.append(job, *fork("0.1", "0.2"), *decode("0.1", TEXT))
    readers = [asyncio.create_task(resume(another, f"resp_{job}", seen)) for seen in (0, 3, 5)]
    await asyncio.sleep(0.2)
    assert not any(reader.done() for reader in readers)
    await organizer.append(job, *decode("0.2", TEXT), *join("0.1", "0.2"))
    await organizer.append(job, *answer(TEXT, "0.1", "0.2"))
    events = await resume(address, f"resp_{job}")
    assert await asyncio.gather(*readers) == [events[1:], events[4:], events[6:]]


async def test_a_restart_changes_no_number(organizer: Organizer, store: Store, settings: Settings) -> None:
    async with serving(settings) as before, asking(before) as client:
        job = await begin(client)
        stream = await client.responses.retrieve(f"resp_{job}", stream=True)
        await organizer.append(job, *fork("0.1", "0.2"), *decode("0.1", TEXT))
        seen = [(await anext(stream)).to_dict() for _ in range(8)]
        await stream.close()
    async with serving(settings) as after:
        rest = asyncio.create_task(resume(after, f"resp_{job}", 7))
        await organizer.append(job, *decode("0.2", TEXT), *join("0.1", "0.2"), *answer(TEXT, "0.1"))
        assert [*seen, *await rest] == await resume(after, f"resp_{job}")


@pytest.mark.parametrize("after", ["-1", "x", "1e3", "99999999999999999999", "4096"])
async def test_a_number_that_no_event_has_is_refused(
    after: str, openai_client: openai.AsyncOpenAI, organizer: Organizer
) -> None:
    job = await begin(openai_client)
    await organizer.answer(job)
    for query in ({"stream": "true", "starting_after": after}, {"starting_after": "1"}):
        with pytest.raises(openai.APIStatusError) as refused:
            await openai_client.responses.retrieve(f"resp_{job}", extra_query=query)
        assert refused.value.status_code in (400, 422)


async def test_a_failure_ends_the_stream(openai_client: openai.AsyncOpenAI, organizer: Organizer) -> None:
    job = await begin(openai_client)
    failed = e.JobFailed(type="timeout", title="The trunk could not be decoded", detail="It fell silent.")
    await organizer.append(job, e.BranchFailed(cause="timeout"), failed)
    last = [event async for event in await openai_client.responses.retrieve(f"resp_{job}", stream=True)][-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert (last.response.error.code, last.response.status) == ("server_error", "failed")
    found = await openai_client.responses.retrieve(f"resp_{job}")
    assert found.to_dict() == last.response.to_dict()


async def test_a_waiting_client_is_told_of_a_failure_as_an_error(
    openai_client: openai.AsyncOpenAI, organizer: Organizer, store: Store
) -> None:
    asking = asyncio.create_task(openai_client.responses.create(model=VOTE, input="Why?"))
    while not (rows := (await store.jobs.list_page()).items):
        await asyncio.sleep(0.02)
    failed = e.JobFailed(type="prompt-too-long", title="Too long", detail="It has 9 tokens.")
    await organizer.append(rows[0].id, e.BranchFailed(cause="prompt-too-long"), failed)
    with pytest.raises(openai.BadRequestError) as raised:
        await asking
    assert raised.value.code == "context_length_exceeded"
    assert (await openai_client.responses.retrieve(f"resp_{rows[0].id}")).status == "failed"


async def test_a_response_is_cancelled(
    openai_client: openai.AsyncOpenAI, organizer: Organizer, store: Store
) -> None:
    job = await begin(openai_client)
    stream = await openai_client.responses.retrieve(f"resp_{job}", stream=True)
    await organizer.append(job, *fork("0.1"))
    cancelling = asyncio.create_task(openai_client.responses.cancel(f"resp_{job}"))
    while not (await store.jobs.get(job)).cancel_requested:
        await asyncio.sleep(0.02)
    by = e.CancelledBy.CLIENT
    gone = [e.BranchCancelled(branch=id_, reason="asked for", by=by) for id_ in (BranchId("0.1"), TRUNK)]
    await organizer.append(job, *gone, e.JobCancelled(reason="asked for"))
    cancelled = await cancelling
    assert (cancelled.status, cancelled.error) == ("cancelled", None)
    assert str([event.type async for event in stream][-1]) == "response.cancelled"
    assert (await openai_client.responses.cancel(f"resp_{job}")).status == "cancelled"


async def test_cancelling_what_has_ended_changes_nothing(
    openai_client: openai.AsyncOpenAI, organizer: Organizer
) -> None:
    job = await begin(openai_client)
    await organizer.answer(job)
    done = await openai_client.responses.retrieve(f"resp_{job}")
    assert await openai_client.responses.cancel(f"resp_{job}") == done


async def test_deleting_a_running_response_cancels_its_job(
    openai_client: openai.AsyncOpenAI, organizer: Organizer, store: Store
) -> None:
    job = await begin(openai_client)
    await organizer.append(job, *fork("0.1"))
    await openai_client.responses.delete(f"resp_{job}")
    assert (await store.jobs.get(job)).cancel_requested == "its response was deleted"
    with pytest.raises(openai.NotFoundError):
        await openai_client.responses.retrieve(f"resp_{job}")


@pytest.mark.parametrize("background", [False, True])
async def test_who_goes_away_cancels_only_what_nobody_can_find(
    background: bool, openai_client: openai.AsyncOpenAI, store: Store
) -> None:
    stream = await openai_client.responses.create(
        model=VOTE, input="Why?", stream=True, background=background
    )
    created = await anext(stream)
    assert created.type == "response.created"
    await stream.close()
    job = JobId(created.response.id.removeprefix("resp_"))
    if background:
        await asyncio.sleep(0.3)
        assert (await store.jobs.get(job)).cancel_requested is None
    else:
        async with asyncio.timeout(20):
            while not (await store.jobs.get(job)).cancel_requested:
                await asyncio.sleep(0.02)
