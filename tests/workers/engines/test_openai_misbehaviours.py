"""The OpenAI engine against an upstream that misbehaves in every way of the list: what is kept, told, tried again."""

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from itertools import pairwise

import pytest
from tests.workers.conftest import Connect, RequestFor, usage_of
from tests.workers.engines.misbehaviours import FAILED, READ
from tests.workers.engines.upstream import Upstream, serving

from anabranch.workers.engines.openai import engine as openai_engine
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.errors import DecodeError
from anabranch.workers.replica.surrogates import SurrogateJoiner


@pytest.fixture(scope="module")
def serving_all() -> Iterator[Upstream]:
    """One server for the whole list."""
    upstream = Upstream()
    with serving(upstream):
        yield upstream


@pytest.fixture
def upstream(serving_all: Upstream) -> Upstream:
    serving_all.asked.clear()
    return serving_all


@pytest.fixture(autouse=True)
def _short_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_engine, "LINGER_SECONDS", 0.2)


async def test_there_are_more_than_forty() -> None:
    assert len(READ) + len(FAILED) >= 40
    assert not READ.keys() & FAILED.keys()


def _as_kept(chunks: Sequence[Chunk]) -> str:
    """The text as a replica keeps it: a character that was cut in half is whole."""
    joiner = SurrogateJoiner()
    return "".join(joiner.feed(chunk.text) for chunk in chunks) + joiner.close()


@pytest.mark.parametrize("name", READ)
async def test_the_text_is_read_to_its_end(
    upstream: Upstream, connect: Connect, request_for: RequestFor, name: str
) -> None:
    answer, expected = READ[name]
    upstream.answer = answer
    async with aclosing(connect().decode(request_for(stop=("END",)))) as chunks:
        got = [chunk async for chunk in chunks]

    last = got[-1]
    assert (_as_kept(got), last.finish) == (expected.text, expected.finish)
    assert [chunk.finish for chunk in got[:-1]] == [None] * (len(got) - 1)
    assert (usage_of(last).prompt_tokens, usage_of(last).cached_tokens) == (expected.prompt, expected.cached)
    assert last.usage_estimated == (expected.completion is None)
    if expected.completion is not None:
        assert usage_of(last).completion_tokens == expected.completion
    else:
        assert bool(usage_of(last).completion_tokens) == bool(expected.text)
    assert all(before.tokens <= after.tokens for before, after in pairwise(got))
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("name", FAILED)
async def test_the_text_is_kept_and_the_fault_told(
    upstream: Upstream, connect: Connect, request_for: RequestFor, name: str
) -> None:
    answer, expected = FAILED[name]
    upstream.answer = answer
    kept, told = [], None
    try:
        async with aclosing(connect().decode(request_for())) as chunks:
            async for chunk in chunks:
                kept.append(chunk)  # noqa: PERF401 - what came before the fault is what is tested
    except DecodeError as error:
        told = error.fault

    assert told is not None, "it passed for an answer"
    assert "".join(chunk.text for chunk in kept) == expected.text
    assert all(chunk.finish is None for chunk in kept)
    assert (told.cause, told.retryable) == (expected.cause, expected.again)
    assert expected.told in told.detail
    assert told.retry_after == expected.after
    assert len(upstream.asked) == 1  # retries are the organizer's
