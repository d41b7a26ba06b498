"""OpenAI's own client, pointed here."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import openai
import pytest

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.events import Event
from anabranch.dag.ids import TRUNK, JobId
from anabranch.dag.policy import catalogue
from anabranch.dag.text import say
from anabranch.service.api.server import serve_api
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.workers.models.resolve import DEFAULT_MODEL

ASK: Any = [{"role": "user", "content": "What is six times seven?"}]
MODEL = "anabranch/self-consistency"


@pytest.fixture
async def address(settings: Settings, store: Store) -> AsyncIterator[str]:
    server = serve_api(settings)
    url = await asyncio.to_thread(server.__enter__)
    yield url
    await asyncio.to_thread(server.__exit__, None, None, None)


@pytest.fixture
async def client(address: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none", timeout=30) as opened:
        yield opened


@pytest.fixture
async def answering(store: Store, organizer: Any) -> AsyncIterator[list[Sequence[Event]]]:
    """Runs each job that comes in: answers it, or writes the events that a test put here."""
    instead: list[Sequence[Event]] = []

    async def work() -> None:
        while True:
            for job in (await store.jobs.list_page(status="queued")).items:
                if instead:
                    await organizer.append(job.id, *instead[0])
                else:
                    await organizer.answer(job.id)
            await asyncio.sleep(0.02)

    working = asyncio.create_task(work())
    yield instead
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_every_policy_is_a_model(client: openai.AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]
    alone = [f"anabranch/{name}" for name in sorted(catalogue())]
    assert listed == [*alone, *(f"{name}@{DEFAULT_MODEL}" for name in alone)]
    assert (await client.models.retrieve(MODEL)).owned_by == "anabranch"


async def test_a_completion_is_a_jobs_answer(
    client: openai.AsyncOpenAI, answering: Any, store: Store
) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=[{"role": "system", "content": "Be brief."}, *ASK],
        temperature=0.5,
        max_tokens=99,
        max_completion_tokens=5000,
        seed=7,
        extra_body={"anabranch": {"params": {"n": 2}, "priority": 1, "metadata": {"who": "me"}}},
    )
    completion = raw.parse()
    assert completion.choices[0].message.content == "42"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert (completion.usage.completion_tokens, completion.usage.total_tokens) == (20, 60)
    assert completion.usage.completion_tokens_details is not None
    assert completion.usage.completion_tokens_details.reasoning_tokens == 10  # two samples said the same
    spec = (await store.jobs.get(JobId(raw.headers["x-anabranch-job"]))).spec
    assert (spec.policy, dict(spec.params), spec.priority) == ("self-consistency", {"n": 2}, 1)
    assert (spec.seed, spec.sampling.temperature, spec.answer_format.max_tokens) == (7, 0.5, 99)
    assert (spec.budget.tokens, dict(spec.metadata)) == (5000, {"who": "me"})
    assert [message.role for message in spec.messages] == ["system", "user"]


async def test_a_last_assistant_message_is_the_beginning_of_the_answer(
    client: openai.AsyncOpenAI, answering: Any, store: Store
) -> None:
    begun: Any = {"role": "assistant", "content": "It is"}
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=[*ASK, begun])
    spec = (await store.jobs.get(JobId(raw.headers["x-anabranch-job"]))).spec
    assert spec.messages[-1] == say("assistant", "It is")
    assert spec.question == ASK[0]["content"]


async def test_a_stream_tells_what_branches_do_then_the_answer(
    client: openai.AsyncOpenAI, answering: Any
) -> None:
    stream = await client.chat.completions.create(
        model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    reasoning, content, finish, usage = "", "", None, None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            content += choice.delta.content or ""
            finish = choice.finish_reason or finish
    assert "[0.1] sample\n[0.2] sample\n" in reasoning
    assert "[0] joined 0.1, 0.2" in reasoning
    assert (content, finish) == ("42", "stop")
    assert usage is not None
    assert usage.completion_tokens == 20


async def test_each_chunk_tells_the_usage_so_far_to_who_asks(address: str, answering: Any) -> None:
    body = {
        "model": MODEL,
        "messages": ASK,
        "stream": True,
        "stream_options": {"continuous_usage_stats": True},
    }
    async with httpx.AsyncClient(base_url=address, timeout=30) as reader:
        told = (await reader.post("/v1/chat/completions", json=body)).text
    chunks = [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: {")]
    counts = [chunk["usage"]["completion_tokens"] for chunk in chunks]
    assert (counts[0], counts[-1]) == (0, 20)
    assert counts == sorted(counts)


async def test_a_failed_job_is_an_error_and_not_asked_for_again(
    client: openai.AsyncOpenAI, answering: Any, store: Store
) -> None:
    answering.append(
        [e.BranchFailed(cause="x"), e.JobFailed(type="poison", title="It broke", detail="Badly.")]
    )
    with pytest.raises(openai.InternalServerError, match=r"It broke\. Badly\.") as raised:
        await client.chat.completions.create(model=MODEL, messages=ASK)
    assert (raised.value.code, raised.value.type) == ("poison", "server_error")
    assert len((await store.jobs.list_page()).items) == 1
    with pytest.raises(openai.APIError, match="It broke"):
        async for _ in await client.chat.completions.create(model=MODEL, messages=ASK, stream=True):
            pass


async def test_an_answer_that_a_limit_forced_was_cut_short(
    client: openai.AsyncOpenAI, answering: Any
) -> None:
    answering.append(
        [
            e.AnswerCommitted(text="about 40", forced=True),
            e.BranchReturned(value="about 40"),
            e.JobSucceeded(),
        ]
    )
    completion = await client.chat.completions.create(model=MODEL, messages=ASK)
    assert completion.choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("type_", "error", "code"),
    [
        ("prompt-too-long", openai.BadRequestError, "context_length_exceeded"),
        ("refused", openai.BadRequestError, "refused"),
        ("rejected", openai.PermissionDeniedError, "rejected"),
        ("deadline", openai.APIStatusError, "deadline"),
    ],
)
async def test_a_job_that_failed_by_what_was_asked_is_the_clients_mistake(
    type_: str, error: type[openai.APIStatusError], code: str, client: Any, answering: Any, store: Store
) -> None:
    answering.append([e.BranchFailed(cause=type_), e.JobFailed(type=type_, title="No", detail="Not so.")])
    with pytest.raises(error) as raised:
        await client.chat.completions.create(model=MODEL, messages=ASK)
    assert (raised.value.code, raised.value.type) in {
        (code, "invalid_request_error"),
        (code, "permission_error"),
    }
    assert raised.value.status_code < 500
    assert len((await store.jobs.list_page()).items) == 1


async def test_an_upstream_that_sends_the_service_away_is_no_mistake_of_the_clients(
    client: openai.AsyncOpenAI, answering: Any
) -> None:
    failed = e.JobFailed(type="upstream-denied", title="No", detail="HTTP 401: no such key")
    answering.append([e.BranchFailed(cause="upstream-denied"), failed])
    with pytest.raises(openai.InternalServerError) as raised:
        await client.with_options(max_retries=0).chat.completions.create(model=MODEL, messages=ASK)
    assert raised.value.status_code == 502
    assert (raised.value.code, raised.value.type) == ("upstream_denied", "server_error")


async def test_a_cancelled_job_is_no_fault_of_the_service(
    client: openai.AsyncOpenAI, store: Store, answering: Any
) -> None:
    answering.append(
        [e.BranchCancelled(reason="enough", by=e.CancelledBy.CLIENT), e.JobCancelled(reason="enough")]
    )
    with pytest.raises(openai.ConflictError) as raised:
        await client.chat.completions.create(model=MODEL, messages=ASK)
    assert raised.value.code == "cancelled"
    assert len((await store.jobs.list_page()).items) == 1


async def test_all_chunks_of_a_stream_were_created_when_the_job_was(
    client: openai.AsyncOpenAI, address: str, store: Store, organizer: Any
) -> None:
    stream = await client.chat.completions.create(
        model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    first = await anext(aiter(stream))
    await asyncio.sleep(1.1)  # the second in which it was created is over
    (row,) = (await store.jobs.list_page()).items
    await organizer.answer(row.id)
    assert {chunk.created async for chunk in stream} == {first.created}
    assert first.created == int(row.created_at.timestamp())


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_cancels_its_job(stream: bool, address: str, store: Store) -> None:
    body = {"model": MODEL, "messages": ASK, "stream": stream}
    async with httpx.AsyncClient(base_url=address) as browser:
        with pytest.raises(httpx.ReadTimeout):
            await browser.post("/v1/chat/completions", json=body, timeout=0.5)
    async with asyncio.timeout(20):
        while not (rows := (await store.jobs.list_page()).items) or not rows[0].cancel_requested:
            await asyncio.sleep(0.05)
    assert rows[0].cancel_requested == "the client went away"


async def test_a_completion_has_the_thought_before_its_answer_by_both_names(
    client: openai.AsyncOpenAI, answering: Any
) -> None:
    """Of 16 tokens 9 were thoughts; none of these is the answer's own text."""
    thinking = Decoded(
        text="",
        thought="six times ",
        finish=Finish.INTERRUPTED,
        usage=Usage(completion_tokens=4, reasoning_tokens=4),
    )
    said = Decoded(
        text="42", thought="seven", finish=Finish.EOS, usage=Usage(completion_tokens=12, reasoning_tokens=5)
    )
    answering.append(
        [
            e.SegmentStarted(segment=1),
            e.SegmentFinished(segment=1, attempt=1, decoded=thinking),
            e.SegmentStarted(segment=2),
            e.SegmentFinished(segment=2, attempt=1, decoded=said),
            e.AnswerCommitted(text="42", sources=(TRUNK,)),
            e.BranchReturned(value="42"),
            e.JobSucceeded(),
        ]
    )
    completion = await client.chat.completions.create(model=MODEL, messages=ASK)
    message = completion.choices[0].message.model_dump()
    assert (message["content"], message["reasoning"]) == ("42", "six times seven")
    assert message["reasoning_content"] == message["reasoning"]
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 16
    assert completion.usage.completion_tokens_details is not None
    assert completion.usage.completion_tokens_details.reasoning_tokens == 9


async def test_an_answer_whose_text_was_cut_says_so(
    client: openai.AsyncOpenAI, answering: Any, address: str
) -> None:
    answering.append(
        [
            e.AnswerCommitted(text="forty", truncated=True),
            e.BranchReturned(value="forty", flags=("truncated",)),
            e.JobSucceeded(),
        ]
    )
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=ASK)
    assert raw.parse().choices[0].finish_reason == "length"
    async with httpx.AsyncClient(base_url=address) as reader:
        job = (await reader.get(f"/v1/jobs/{raw.headers['x-anabranch-job']}")).json()
    assert job["answer"] == {
        "text": "forty",
        "sources": [],
        "forced": False,
        "truncated": True,
        "calls": [],
        "citations": [],
    }


async def test_a_job_with_a_key_outlives_the_clients_that_lost_patience(
    address: str, store: Store, organizer: Any
) -> None:
    """Three tries of one request, each given up before the job has ended; the fourth finds what the first began."""
    headers = {"Idempotency-Key": "once"}

    async def ask(client: openai.AsyncOpenAI) -> str | None:
        completion = await client.chat.completions.create(model=MODEL, messages=ASK, extra_headers=headers)
        return completion.choices[0].message.content

    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none", timeout=0.4) as hasty:
        with pytest.raises(openai.APITimeoutError):
            await ask(hasty)  # it tries three times by itself
    await asyncio.sleep(1.5)  # as long as a client that went away may remain unnoticed, and longer
    (row,) = (await store.jobs.list_page()).items
    assert row.cancel_requested is None
    await organizer.answer(row.id)
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none", timeout=30) as patient:
        assert await ask(patient) == "42"
    assert len((await store.jobs.list_page()).items) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_job_that_somebody_else_waits_for_outlives_the_client_that_left(
    stream: bool, address: str, store: Store, organizer: Any
) -> None:
    body = {"model": MODEL, "messages": ASK, "stream": stream}
    async with httpx.AsyncClient(base_url=address, timeout=60) as browser:
        leaving = asyncio.create_task(browser.post("/v1/chat/completions", json=body))
        async with asyncio.timeout(20):
            while not (rows := (await store.jobs.list_page()).items):
                await asyncio.sleep(0.02)
        job = rows[0].id
        async with browser.stream("GET", f"/v1/jobs/{job}/events") as following:
            lines = following.aiter_lines()
            await anext(lines)  # from here on it surely follows
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            await asyncio.sleep(1.5)  # as long as a client that went away may remain unnoticed, and longer
            assert (await store.jobs.get(job)).cancel_requested is None
            await organizer.answer(job)
            assert "event: JobSucceeded" in [line async for line in lines]


@pytest.mark.parametrize(
    ("request_", "error", "param"),
    [
        ({"model": "gpt-4"}, openai.NotFoundError, None),
        ({"model": "anabranch/genius"}, openai.NotFoundError, None),
        ({"messages": []}, openai.UnprocessableEntityError, "messages"),
        ({"messages": [{"role": "assistant", "content": "Yes."}]}, openai.UnprocessableEntityError, "body"),
        ({"n": 17}, openai.UnprocessableEntityError, "n"),
        (
            {"logprobs": True, "model": "anabranch/async-think"},
            openai.UnprocessableEntityError,
            "logprobs",
        ),
        ({"temperature": -1}, openai.UnprocessableEntityError, "temperature"),
        ({"temperature": 5}, openai.UnprocessableEntityError, "temperature"),
        ({"max_tokens": "many"}, openai.UnprocessableEntityError, "max_tokens"),
        ({"seed": 2**60}, openai.UnprocessableEntityError, "seed"),
        (
            {
                "model": "anabranch/graph-of-thoughts",
                "extra_body": {"anabranch": {"params": {"operations": []}}},
            },
            openai.UnprocessableEntityError,
            "anabranch.params.operations",
        ),
        (
            {"extra_body": {"anabranch": {"params": {"n": 0}}}},
            openai.UnprocessableEntityError,
            "anabranch.params.n",
        ),
    ],
)
async def test_what_no_job_can_do_is_refused_in_openais_words(
    request_: dict[str, Any], error: type[openai.APIStatusError], param: str | None, client: Any, store: Store
) -> None:
    with pytest.raises(error) as raised:
        await client.chat.completions.create(**{"model": MODEL, "messages": ASK} | request_)
    assert raised.value.param == param
    assert raised.value.code in {"model_not_found", "invalid_value"}
    assert raised.value.type == "invalid_request_error"
    assert (await store.jobs.list_page()).items == ()


async def test_several_choices_are_jobs_of_their_own_seed(
    client: openai.AsyncOpenAI, store: Store, organizer: Any
) -> None:
    asking = asyncio.create_task(client.chat.completions.create(model=MODEL, messages=ASK, n=3, seed=7))
    async with asyncio.timeout(20):
        while len(rows := (await store.jobs.list_page()).items) < 3:
            await asyncio.sleep(0.02)
    by_seed = sorted(rows, key=lambda row: row.spec.seed)
    assert [row.spec.seed for row in by_seed] == [7, 8, 9]
    for row in reversed(by_seed):
        await organizer.answer(row.id, f"seed {row.spec.seed}")
    completion = await asking
    told = [(choice.index, choice.message.content) for choice in completion.choices]
    assert told == [(0, "seed 7"), (1, "seed 8"), (2, "seed 9")]
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3 * 20
    assert completion.id == "chatcmpl-" + ",".join(row.id for row in by_seed)


async def test_a_stream_of_several_choices_numbers_its_parts_and_is_taken_up_by_its_id(
    client: openai.AsyncOpenAI, store: Store, organizer: Any, address: str
) -> None:
    stream = await client.chat.completions.create(model=MODEL, messages=ASK, n=2, stream=True, store=True)
    first = await anext(aiter(stream))
    await stream.close()
    await asyncio.sleep(1.5)  # as long as a client that went away may remain unnoticed, and longer
    rows = (await store.jobs.list_page()).items
    assert [row.cancel_requested for row in rows] == [None, None]
    async with httpx.AsyncClient(base_url=address, timeout=60) as reader:
        where = f"/v1/chat/completions/{first.id}"
        async with reader.stream("GET", where, params={"stream": True, "include_usage": True}) as again:
            for row in rows:
                await organizer.answer(row.id, "42")
            lines = [line[6:] async for line in again.aiter_lines() if line.startswith("data: ")]
        assert lines[-1] == "[DONE]"
        chunks = [json.loads(line) for line in lines[:-1]]
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        for number in (0, 1):
            own = [choice["delta"].get("content") or "" for choice in choices if choice["index"] == number]
            assert "".join(own) == "42"
        assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop", "stop"]
        assert chunks[-1]["usage"]["completion_tokens"] == 40
        whole = (await reader.get(where)).json()
        assert [choice["message"]["content"] for choice in whole["choices"]] == ["42", "42"]
        assert (whole["id"], whole["model"]) == (first.id, MODEL)
        alone = (await reader.get(f"/v1/chat/completions/{rows[0].id}")).json()
        assert alone["choices"][0]["message"]["content"] == "42"
        missing = await reader.get("/v1/chat/completions/chatcmpl-nobody")
        assert missing.status_code == 404
        assert "nobody" in missing.json()["error"]["message"]
