"""Logprobs of chat completions: whose they are, in OpenAI's shape, whole or not at all."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.service.api.routes.chat_requests import ABLE

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.dag.decoding.logprobs import Likelihood, TokenLogprob
from anabranch.dag.events import Event
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.service.api.views.chat.logprobs import answer_logprobs
from anabranch.service.store.store import Store

BODY: dict[str, Any] = {
    "model": "anabranch/sequential",
    "messages": [{"role": "user", "content": "What is six times seven?"}],
    "logprobs": True,
    "top_logprobs": 1,
}


def tokens(*written: str) -> tuple[TokenLogprob, ...]:
    top = (Likelihood(token="No", logprob=-0.25),)
    return tuple(TokenLogprob(token=token, logprob=-0.5, top=top) for token in written)


def said(*written: str, text: str | None = None, finish: Finish = Finish.EOS) -> Decoded:
    whole = "".join(written) if text is None else text
    return Decoded(text=whole, finish=finish, token_logprobs=tokens(*written))


def segments(branch: str, *decodes: Decoded) -> list[Event]:
    events: list[Event] = []
    for number, decoded in enumerate(decodes, start=1):
        events.append(e.SegmentStarted(branch=BranchId(branch), segment=number))
        events.append(
            e.SegmentFinished(branch=BranchId(branch), segment=number, attempt=number, decoded=decoded)
        )
    return events


def committed(text: str, *sources: str) -> list[Event]:
    return [e.AnswerCommitted(text=text, sources=tuple(map(BranchId, sources)))]


def told(*events: Event) -> list[str]:
    return [token.token for token in answer_logprobs(events)]


BARE = Decoded(text="Yes", finish=Finish.EOS)
YES = said("\n", "Yes", ",", " it is", ".\n")


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([*segments("0", YES), *committed("Yes, it is.", "0")], ["Yes", ",", " it is", ".\n"]),
        ([*segments("0", YES), *committed("Yes, it is.")], ["Yes", ",", " it is", ".\n"]),
        ([*segments("0", YES), *committed("Yes", "0")], ["Yes"]),
        ([*segments("0", YES), *committed("\nYes", "0")], ["\n", "Yes"]),
        (
            [*segments("0.1", said("so ", "42")), *segments("0.2", YES), *committed("42", "0.1", "0.2")],
            ["so ", "42"],
        ),
        (
            [*segments("0.1", BARE), *segments("0.2", YES), *committed("Yes, it is.", "0.1", "0.2")],
            ["Yes", ",", " it is", ".\n"],
        ),
        ([*segments("0", YES), *committed("Yes.\n\nNo.", "0")], []),
        ([*segments("0", YES), *committed("", "0")], []),
        ([*segments("0", BARE), *committed("Yes", "0")], []),
        (segments("0", YES), []),
    ],
    ids=[
        "without the blanks around it",
        "of the trunk where no source is named",
        "up to a stop string",
        "with the blank that joins an answer to its beginning",
        "found in a text",
        "of the first source that has any",
        "put together",
        "empty",
        "the engine told none",
        "no answer",
    ],
)
def test_they_are_those_of_the_decode_that_wrote_the_answer(events: list[Event], found: list[str]) -> None:
    assert told(*events) == found


def test_a_stop_string_that_no_token_wrote_hides_none() -> None:
    stopped = said("Yes", " END", text="Yes END Q:", finish=Finish.STOP)
    assert told(*segments("0", stopped), *committed("Yes", "0")) == ["Yes"]


BROKE = Decoded(text="Yes, ", finish=Finish.INTERRUPTED)
FAILED = Decoded(text="", finish=Finish.ERROR, fault=Fault(cause="replica-died"))


def test_of_an_interrupted_decode_they_are_not_known() -> None:
    """A vote could find its answer in the rest; its tokens would pass for those of the whole text."""
    for decodes in ([BROKE, YES], [BROKE, FAILED, YES]):
        assert told(*segments("0", *decodes), *committed("it is", "0")) == []
    thought_only = replace(BROKE, text="", thought="Hm")
    assert told(*segments("0", thought_only, FAILED, YES), *committed("Yes, it is.", "0"))


@pytest.fixture
async def answering(store: Store, organizer: Any) -> AsyncIterator[list[Event]]:
    """Runs each job that comes in with these events."""
    events: list[Event] = []

    async def work() -> None:
        while True:
            for job in (await store.jobs.list_page(status="queued")).items:
                await organizer.append(job.id, *events)
            await asyncio.sleep(0.02)

    working = asyncio.create_task(work())
    yield events
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


def job_of(decoded: Decoded, text: str) -> Sequence[Event]:
    ended: list[Event] = [e.BranchReturned(branch=TRUNK, value=text), e.JobSucceeded()]
    return [*segments("0", decoded), *committed(text, "0"), *ended]


async def test_a_choice_tells_them_in_openais_shape(
    client: httpx.AsyncClient, answering: list[Event]
) -> None:
    answering += job_of(said(" Né", "42"), "Né42")
    response = await client.post("/v1/chat/completions", json=BODY)
    (choice,) = ChatCompletion.model_validate(response.json(), strict=True).choices
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    first, second = choice.logprobs.content
    assert (first.token, first.logprob, first.bytes) == (" Né", -0.5, [32, 78, 195, 169])
    assert [top.token for top in second.top_logprobs] == ["No"]


async def test_a_stream_tells_them_behind_its_content(
    client: httpx.AsyncClient, answering: list[Event]
) -> None:
    answering += job_of(said("It is ", "42"), "It is 42")
    response = await client.post("/v1/chat/completions", json=BODY | {"stream": True})
    data = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    chunks = [ChatCompletionChunk.model_validate(json.loads(each), strict=True) for each in data]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "It is 42"
    (told_in,) = [number for number, chunk in enumerate(chunks) if chunk.choices[0].logprobs is not None]
    assert [chunk.choices[0].finish_reason for chunk in chunks[told_in:]] == [None, "stop"]
    logprobs = chunks[told_in].choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert [token.token for token in logprobs.content] == ["It is ", "42"]


@pytest.mark.parametrize("asked", [{}, {"logprobs": False, "top_logprobs": None}])
async def test_who_does_not_ask_is_told_none(
    asked: dict[str, Any], client: httpx.AsyncClient, answering: list[Event]
) -> None:
    answering += job_of(said("42"), "42")
    body = {name: value for name, value in BODY.items() if "logprobs" not in name} | asked
    completion = (await client.post("/v1/chat/completions", json=body)).json()
    assert completion["choices"][0]["logprobs"] is None
    stream = (await client.post("/v1/chat/completions", json=body | {"stream": True})).text
    assert '"logprobs": {' not in stream


@pytest.mark.parametrize("stream", [False, True])
async def test_where_the_engine_told_none_null_is_told(
    stream: bool, client: httpx.AsyncClient, answering: list[Event]
) -> None:
    answering += job_of(Decoded(text="42", finish=Finish.EOS), "42")
    response = await client.post("/v1/chat/completions", json=BODY | {"stream": stream})
    assert response.status_code == 200
    assert '"logprobs": {' not in response.text
    assert '"logprobs":{' not in response.text


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/chat/completions", BODY | {"model": "anabranch/async-think"}, "logprobs"),
        (
            "/v1/jobs",
            {"question": "?", "policy": {"name": "async-think"}, "answer_format": {"logprobs": 0}},
            "answer_format.logprobs",
        ),
    ],
)
async def test_a_policy_that_composes_its_answer_says_who_can_tell_them(
    path: str, body: dict[str, Any], where: str, client: httpx.AsyncClient, store: Store
) -> None:
    response = await client.post(path, json=body)
    assert response.status_code == 422
    assert where in response.text
    assert ABLE in response.text
    assert (await store.jobs.list_page()).items == ()


async def test_a_job_tells_what_it_was_asked(client: httpx.AsyncClient) -> None:
    sent = {"question": "?", "policy": {"name": "plan"}, "answer_format": {"logprobs": 0}}
    job = (await client.post("/v1/jobs", json=sent)).json()
    assert job["answer_format"]["logprobs"] == 0
