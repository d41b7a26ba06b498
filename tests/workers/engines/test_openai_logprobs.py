"""Logprobs of upstreams: how they are asked for, in which forms they come, and what is made of broken ones."""

from dataclasses import replace
from typing import Any

import pytest
from tests.workers.conftest import Connect, RequestFor
from tests.workers.engines.misbehaviours import STOP, refuses, said, stream
from tests.workers.engines.upstream import Upstream, decoded, text_in

from anabranch.dag.decoding import Finish
from anabranch.dag.decoding.logprobs import Likelihood, TokenLogprob
from anabranch.workers.engines.openai.logprobs import read_logprobs
from anabranch.workers.engines.openai.requests import completion_body
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.replica.segmenter import Segmenter


def likely(token: str, logprob: Any = -0.5, **more: Any) -> dict[str, Any]:
    return {
        "token": token,
        "logprob": logprob,
        "bytes": list(token.encode(errors="replace")),
        "top_logprobs": [],
    } | more


def piece(text: str, *content: Any) -> dict[str, Any]:
    return said(text, logprobs={"content": list(content), "refusal": None})


def told(chunks: list[Chunk], request: DecodeRequest) -> list[str]:
    """The tokens that the journal keeps of these chunks."""
    segmenter = Segmenter(request=request, replica="r", engine="e")
    for chunk in chunks:
        segmenter.feed(chunk, 1.0)
    done = segmenter.end(chunks[-1].finish or Finish.EOS, 2.0)
    return [token.token for token in done.decoded.token_logprobs]


@pytest.mark.parametrize(
    ("most_likely", "asked"),
    [(None, {}), (0, {"logprobs": True}), (5, {"logprobs": True, "top_logprobs": 5})],
)
async def test_they_are_asked_for_where_they_are_wanted(
    most_likely: int | None,
    asked: dict[str, Any],
    upstream: Upstream,
    connect: Connect,
    request_for: RequestFor,
) -> None:
    await decoded(connect(), request_for(logprobs=most_likely))
    (body,) = upstream.asked
    assert {name: value for name, value in body.items() if "logprobs" in name} == asked


def test_a_completion_of_tokens_is_asked_by_their_number(request_for: RequestFor) -> None:
    def body(most_likely: int | None) -> dict[str, Any]:
        return completion_body(request_for(logprobs=most_likely), [1], model="m", max_model_len=9)

    assert (body(0)["logprobs"], body(5)["logprobs"]) == (0, 5)
    assert "logprobs" not in body(None)


async def test_they_are_put_together_from_the_chunks(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = stream(
        piece("", likely("The"), likely(" answer")),
        piece("The answer ", likely(" is"), likely(" ", -3)),
        piece("is 4.", likely("4.")),
        STOP,
    )
    request = request_for(logprobs=0)
    chunks = await decoded(connect(), request)
    assert text_in(chunks) == "The answer is 4."
    assert [each.token for chunk in chunks for each in chunk.logprobs] == ["The", " answer", " is", " ", "4."]


async def test_those_of_thoughts_are_not_the_answers(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    thinks = said(
        delta={"reasoning_content": "Four"}, logprobs={"content": [likely("Four"), likely("</think>")]}
    )
    upstream.answer = stream(
        thinks, piece("Four", likely("Four", -0.125)), piece("", likely("<|im_end|>")), STOP
    )
    request = request_for(logprobs=0)
    assert told(await decoded(connect(), request), request) == ["Four"]


async def test_a_stop_string_that_the_upstream_leaves_out_hides_none(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = stream(piece("It is ", likely("It"), likely(" is ")), piece("4.", likely("4.")), STOP)
    request = request_for(logprobs=0, stop=("END",))
    chunks = await decoded(connect(), replace(request))
    ended = [*chunks[:-1], replace(chunks[-1], text="END", finish=Finish.STOP)]
    assert told(ended, request) == ["It", " is ", "4."]


BROKEN: dict[str, tuple[Any, ...]] = {
    "they are missing": (said("One "), said("two.")),
    "they are null": (said("One ", logprobs=None), said("two.", logprobs=None)),
    "their content is null": (said("One ", logprobs={"content": None}), piece("two.", likely("two."))),
    "a list": (said("One ", logprobs=[likely("One ")]), piece("two.", likely("two."))),
    "fewer than tokens": (piece("One ", likely("One ")), said("two.")),
    "a token is null": (piece("One ", None, likely("One ")), piece("two.", likely("two.") | {"token": None})),
    "a logprob is null": (piece("One ", likely("One ", None)), piece("two.", likely("two."))),
    "a logprob is a word": (piece("One ", likely("One ", "-1")), piece("two.", likely("two."))),
    "a logprob is true": (piece("One ", likely("One ", True)), piece("two.", likely("two."))),
    "bytes are none": (piece("One ", likely("One ", bytes=[300])), piece("two.", likely("two."))),
    "bytes are words": (piece("One ", likely("One ", bytes=["O"])), piece("two.", likely("two."))),
    "of another text": (piece("One ", likely("Uno ")), piece("two.", likely("due."))),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_where_some_are_missing_none_are_told(
    name: str, upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = stream(*BROKEN[name], STOP)
    request = request_for(logprobs=2)
    chunks = await decoded(connect(), request)
    assert text_in(chunks) == "One two."
    assert told(chunks, request) == []


async def test_halves_of_letters_in_names_are_no_text(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    half = likely("\ud83c", bytes=[240, 159], top_logprobs=[likely("\udf0a", bytes=None)])
    upstream.answer = stream(piece("🌊", half, likely("\udf0a", bytes=[140, 138])), STOP)
    request = request_for(logprobs=1)
    segmenter = Segmenter(request=request, replica="r", engine="e")
    for chunk in await decoded(connect(), request):
        segmenter.feed(chunk, 1.0)
    first, second = segmenter.end(Finish.EOS, 2.0).decoded.token_logprobs
    assert first.written + second.written == "🌊".encode()
    assert (first.token, first.top[0].token) == ("\ufffd", "\ufffd")


async def test_nobody_is_told_what_was_not_asked_for(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    upstream.answer = stream(piece("4.", likely("4.")), STOP)
    chunks = await decoded(connect(), request_for())
    assert not any(chunk.logprobs for chunk in chunks)


@pytest.mark.parametrize("refused", ["logprobs", "top_logprobs"])
async def test_an_upstream_that_knows_none_answers_without(
    refused: str, upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    def answer(body: dict[str, Any]) -> Any:
        error = {"message": f"Unsupported parameter: {refused}", "param": refused}
        return refuses(400, {"error": error}) if refused in body else stream(said("4."), STOP)

    upstream.answer = answer
    engine = connect()
    assert text_in(await decoded(engine, request_for(logprobs=2))) == "4."
    assert await decoded(engine, request_for(logprobs=2))
    assert len(upstream.asked) == 3
    assert ("logprobs" in upstream.asked[-1]) is (refused == "top_logprobs")
    assert "top_logprobs" not in upstream.asked[-1]


def test_no_more_of_the_likeliest_are_kept_than_tell_something_and_the_likeliest_come_first() -> None:
    others = [likely("b", -2.0), None, likely("a", -0.5), likely("c", float("nan"))]
    (token,) = read_logprobs({"content": [likely("b", -2.0, top_logprobs=others)]})
    assert token.top == (Likelihood(token="a", logprob=-0.5), Likelihood(token="b", logprob=-2.0))


async def test_of_more_likely_ones_than_were_asked_for_the_likeliest_are_told(
    upstream: Upstream, connect: Connect, request_for: RequestFor
) -> None:
    tops = [likely("b", -2.0), likely("4.", -0.5), likely("c", -3.0)]
    upstream.answer = stream(piece("4.", likely("4.", top_logprobs=tops)), STOP)
    chunks = await decoded(connect(), request_for(logprobs=2))
    (token,) = (each for chunk in chunks for each in chunk.logprobs)
    assert [each.token for each in token.top] == ["4.", "b"]


def test_a_part_of_a_letter_is_told_by_its_bytes() -> None:
    (part, whole) = read_logprobs(
        {"content": [likely("\\xf0\\x9f", bytes=[240, 159]), likely("é", bytes=None)]}
    )
    assert (part.raw, part.written) == ((240, 159), b"\xf0\x9f")
    assert (whole.raw, whole.written) == ((), "é".encode())


def test_text_completions_tell_them_in_lists_side_by_side() -> None:
    lists = {
        "tokens": ["4", "."],
        "token_logprobs": [-0.5, -1],
        "top_logprobs": [{"5": -0.25, "4": -0.5}, None],
        "text_offset": [0, 1],
    }
    top = (Likelihood(token="5", logprob=-0.25), Likelihood(token="4", logprob=-0.5))
    assert read_logprobs(lists) == (
        TokenLogprob(token="4", logprob=-0.5, top=top),
        TokenLogprob(token=".", logprob=-1.0),
    )
    assert len(read_logprobs(lists | {"token_logprobs": [-0.5], "top_logprobs": None})) == 1
