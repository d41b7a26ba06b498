"""One decode's chunks become the same segments however the engine happened to chunk them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.workers.conftest import RequestFor, TinyParser

from anabranch.dag.decoding import Fault, Finish, Tag, Usage
from anabranch.dag.decoding.tools import Call
from anabranch.dag.ids import BranchId, JobId
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.messages import Key, Message, SegmentDone, TextPiece
from anabranch.workers.pool.in_flight import InFlightCall
from anabranch.workers.replica.batcher import Batcher
from anabranch.workers.replica.segmenter import SEGMENTS, Segmenter

KEY = Key(job=JobId("job"), branch=BranchId("0"), segment=3)


class SegmentsOf(Protocol):
    def __call__(self, *, grammar: bool = True) -> Segmenter: ...


@pytest.fixture
def segments_of(request_for: RequestFor, tiny_parser: type[TinyParser]) -> SegmentsOf:
    def make(*, grammar: bool = True) -> Segmenter:
        request = request_for("0", segment=3, submitted=1.0)
        return Segmenter(request=request, replica="r", engine="e", parser=tiny_parser() if grammar else None)

    return make


def chunks_of(pieces: Sequence[str], finish: Finish = Finish.EOS) -> list[Chunk]:
    """One token per piece; the last chunk carries the engine's counts."""
    chunks = [Chunk(text=piece, tokens=index + 1) for index, piece in enumerate(pieces)]
    usage = Usage(prompt_tokens=7, cached_tokens=2, completion_tokens=len(pieces))
    return [*chunks, Chunk(text="", tokens=len(pieces), finish=finish, usage=usage)]


def cut(segments: Segmenter, chunks: Sequence[Chunk]) -> list[Message]:
    messages: list[Message] = []
    for now, chunk in enumerate(chunks, start=2):
        messages += segments.feed(chunk, float(now))
        if segments.stopped:
            return [*messages, segments.end(Finish.TAG, float(now))]
    return [*messages, segments.end(chunks[-1].finish or Finish.EOS, 99.0)]


def ends(messages: Sequence[Message]) -> list[SegmentDone]:
    return [message for message in messages if isinstance(message, SegmentDone)]


def test_without_a_grammar_all_is_one_segment(segments_of: SegmentsOf) -> None:
    (end,) = ends(cut(segments_of(grammar=False), chunks_of(["a ", "<halt>", " b"])))

    assert (end.key, end.segment) == (KEY, 3)
    assert (end.decoded.text, end.decoded.finish, end.decoded.open) == ("a <halt> b", Finish.EOS, False)
    assert end.decoded.usage == Usage(prompt_tokens=7, cached_tokens=2, completion_tokens=3)


def test_tags_beyond_all_measure_are_text_but_one_that_stops(segments_of: SegmentsOf) -> None:
    text = "<go>x</go>" * (2 * SEGMENTS)
    found = ends(cut(segments_of(), chunks_of([text, "<halt>", " never read"])))

    assert len(found) == SEGMENTS
    assert "".join(end.decoded.text for end in found) == text + "<halt>"
    assert found[-1].decoded.tag == Tag(kind="halt")


def test_a_closed_tag_ends_a_segment_and_the_stream_goes_on(segments_of: SegmentsOf) -> None:
    first, last = ends(cut(segments_of(), chunks_of(["ask ", "<go>", "two", "</go> and", " on"])))

    assert (first.segment, last.segment) == (3, 4)
    assert (first.decoded.text, last.decoded.text) == ("ask <go>two</go>", " and on")
    assert (first.decoded.finish, first.decoded.open) == (Finish.TAG, True)
    assert first.decoded.tag == Tag(kind="go", body="two")
    assert (first.decoded.usage.completion_tokens, last.decoded.usage.completion_tokens) == (4, 1)


def test_a_thought_is_beside_the_text_in_pieces_and_at_the_end(segments_of: SegmentsOf) -> None:
    chunks = [
        Chunk(text="", tokens=1, thought="First <halt>, ", reasoning_tokens=1),
        Chunk(text="Four", tokens=3, thought="then.", reasoning_tokens=2),
        Chunk(text=".", tokens=4, reasoning_tokens=2, finish=Finish.EOS),
    ]
    messages = cut(segments_of(), chunks)
    pieces = [message for message in messages if isinstance(message, TextPiece)]

    (end,) = ends(messages)
    assert (end.decoded.thought, end.decoded.text) == ("First <halt>, then.", "Four.")
    assert (end.decoded.usage.completion_tokens, end.decoded.usage.reasoning_tokens) == (4, 2)
    assert "".join(piece.thought for piece in pieces) == end.decoded.thought
    assert "".join(piece.text for piece in pieces) == end.decoded.text
    assert end.decoded.timing.first_token == 2.0


def test_a_text_that_turns_out_to_have_been_a_thought_is_told_as_one(segments_of: SegmentsOf) -> None:
    chunks = [
        Chunk(text="It is ", tokens=2),
        Chunk(text="four.", tokens=3),
        Chunk(text="Four", tokens=5, reasoning_tokens=4, recast=True),
        Chunk(text=".", tokens=6, reasoning_tokens=4, finish=Finish.EOS),
    ]
    *pieces, end = cut(segments_of(grammar=False), chunks)
    assert isinstance(end, SegmentDone)
    assert (end.decoded.thought, end.decoded.text) == ("It is four.", "Four.")
    assert end.decoded.usage.reasoning_tokens == 4
    recast = next(piece for piece in pieces if isinstance(piece, TextPiece) and piece.recast)
    assert (recast.thought_offset, recast.offset) == (len("It is four."), 0)


@pytest.mark.parametrize("batches", [(1, 1, 1, 1), (2, 2), (1, 3), (3, 1), (4,), (1, 2, 1)])
async def test_pieces_that_are_gathered_tell_the_same_thought_and_text(
    segments_of: SegmentsOf, batches: Sequence[int]
) -> None:
    chunks = [
        Chunk(text="It is ", tokens=2),
        Chunk(text="four.", tokens=3),
        Chunk(text="Fo", tokens=5, reasoning_tokens=4, recast=True),
        Chunk(text="ur", tokens=6, reasoning_tokens=4),
    ]
    segments, flight = segments_of(grammar=False), list[Message]()
    request = segments.request
    call, batcher = InFlightCall([request], flight.append), Batcher(0.0)
    told, rest = batcher.batches(), iter(chunks)
    for count in batches:
        for _ in range(count):
            for message in segments.feed(next(rest), 2.0):
                batcher.put(message)
        call.receive(await anext(told))
    call.end([request.key], Finish.ABORT, replica="r")
    *pieces, end = flight
    assert isinstance(end, SegmentDone)
    assert (end.decoded.thought, end.decoded.text) == ("It is four.", "Four")
    assert end.decoded.usage.reasoning_tokens == 4
    assert len(pieces) == len(batches)


def test_a_tag_that_stops_drops_what_was_decoded_past_it(segments_of: SegmentsOf) -> None:
    segments = segments_of()
    segments.feed(Chunk(text="so ", tokens=1), 2.0)
    segments.feed(Chunk(text="far <halt> too far", tokens=5), 3.0)

    assert segments.stopped
    assert (segments.overshoot, segments.overshoot_limit) == (" too far", 3)
    end = segments.end(Finish.TAG, 4.0, overshoot_tokens=2)
    assert (end.decoded.text, end.decoded.finish, end.decoded.open) == ("so far <halt>", Finish.TAG, False)
    assert end.decoded.usage.completion_tokens + end.decoded.overshoot_tokens == 5


def test_a_character_whose_halves_came_in_two_chunks_is_one_character(segments_of: SegmentsOf) -> None:
    """As `json.loads` gives them, one escape in each chunk."""
    messages = cut(
        segments_of(), chunks_of(["so \ud83d", "\ude00 it <go>\ud83d", "\ude00</go>", " goes\ud83d"])
    )
    first, last = ends(messages)
    assert (first.decoded.text, last.decoded.text) == ("so 😀 it <go>😀</go>", " goes\ufffd")
    assert first.decoded.tag == Tag(kind="go", body="😀")
    pieces = [message.text for message in messages if isinstance(message, TextPiece)]
    assert "".join(pieces) == first.decoded.text + last.decoded.text


def test_an_engine_that_counts_less_than_was_estimated_books_nothing_negative(
    segments_of: SegmentsOf,
) -> None:
    segments = segments_of()
    [first] = ends(segments.feed(Chunk(text="<go>two</go>", tokens=6, usage_estimated=True), 2.0))
    usage = Usage(prompt_tokens=3, completion_tokens=4)
    segments.feed(Chunk(text="", tokens=6, finish=Finish.EOS, usage=usage), 3.0)
    last = segments.end(Finish.EOS, 3.0)
    assert [each.decoded.usage.completion_tokens for each in (first, last)] == [6, 0]
    assert [each.decoded.usage_estimated for each in (first, last)] == [True, False]


def test_a_tag_left_open_is_told_with_the_engines_own_finish(segments_of: SegmentsOf) -> None:
    (end,) = ends(cut(segments_of(), chunks_of(["I will <go>", "tw"], Finish.LENGTH)))

    assert end.decoded.finish is Finish.LENGTH
    assert end.decoded.tag == Tag(kind="go", problem="never closed")


def test_an_aborted_tag_is_not_malformed(segments_of: SegmentsOf) -> None:
    segments = segments_of()
    segments.feed(Chunk(text="I will <go>tw", tokens=4), 2.0)

    end = segments.end(Finish.ABORT, 3.0)
    assert (end.decoded.finish, end.decoded.tag, end.decoded.text) == (Finish.ABORT, None, "I will <go>tw")
    assert end.decoded.usage.completion_tokens == 4


def test_an_abort_that_comes_after_the_stopping_tag_is_too_late(segments_of: SegmentsOf) -> None:
    segments = segments_of()
    segments.feed(Chunk(text="<halt>", tokens=1), 2.0)

    assert segments.end(Finish.ABORT, 3.0).decoded.finish is Finish.TAG


def test_a_failure_keeps_the_text_so_far(segments_of: SegmentsOf) -> None:
    segments = segments_of()
    segments.feed(Chunk(text="half a", tokens=2), 2.0)
    fault = Fault(cause="engine-error")

    end = segments.fail(fault, 3.0)
    assert (end.decoded.text, end.decoded.finish, end.decoded.fault) == ("half a", Finish.ERROR, fault)
    assert end.decoded.usage.completion_tokens == 2


def test_the_prompt_is_booked_once_on_the_first_segment_that_knows_it(segments_of: SegmentsOf) -> None:
    segments = segments_of()
    usage = Usage(prompt_tokens=7, cached_tokens=4, completion_tokens=1)
    messages = segments.feed(Chunk(text="<go></go>", tokens=1, usage=usage), 2.0)
    messages += segments.feed(Chunk(text="<go></go>", tokens=2), 3.0)
    messages.append(segments.end(Finish.EOS, 4.0))

    assert [end.decoded.usage.prompt_tokens for end in ends(messages)] == [7, 0, 0]
    assert [end.decoded.usage.cached_tokens for end in ends(messages)] == [4, 0, 0]


def test_each_stage_is_stamped_on_the_replicas_clock(segments_of: SegmentsOf) -> None:
    segments = segments_of()
    segments.admit(1.5)
    messages = segments.feed(Chunk(text="", tokens=0, scheduled=1.7), 2.0)
    messages += segments.feed(Chunk(text="<go></go>", tokens=1, scheduled=1.7), 3.0)
    messages += segments.feed(Chunk(text="rest", tokens=2, scheduled=1.7), 4.0)
    messages.append(segments.end(Finish.EOS, 5.0))
    first, last = (end.decoded.timing for end in ends(messages))

    assert (first.submitted, first.admitted, first.scheduled) == (1.0, 1.5, 1.7)
    assert (first.first_token, first.finished) == (3.0, 3.0)
    assert (last.submitted, last.first_token, last.finished) == (3.0, 4.0, 5.0)


texts = st.lists(
    st.sampled_from(["word ", "<go>x</go>", "<go>", "</go>", "<halt>", "<", "né\n"]), max_size=12
).map("".join)


@st.composite
def chunkings(draw: st.DrawFn) -> tuple[str, list[str]]:
    text = draw(texts)
    at = sorted(draw(st.sets(st.integers(0, len(text)))) | {0, len(text)})
    return text, [text[start:end] for start, end in pairwise(at)]


@given(chunkings())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_chunking_gives_the_same_segments(
    segments_of: SegmentsOf, chunking: tuple[str, list[str]]
) -> None:
    """Given any text in any chunks, when it is cut, then the segments are those of the text fed at once."""
    text, pieces = chunking
    whole, in_pieces = cut(segments_of(), chunks_of([text])), cut(segments_of(), chunks_of(pieces))

    def shape(messages: Sequence[Message]) -> list[tuple[object, ...]]:
        return [
            (e.segment, e.decoded.text, e.decoded.finish, e.decoded.tag, e.decoded.open)
            for e in ends(messages)
        ]

    assert shape(in_pieces) == shape(whole)


@given(chunkings())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tokens_and_text_are_neither_lost_nor_counted_twice(
    segments_of: SegmentsOf, chunking: tuple[str, list[str]]
) -> None:
    """Given any chunks, then segments sum to the tokens the engine told, and pieces join to the segments' text."""
    _, pieces = chunking
    segments = segments_of()
    fed = chunks_of(pieces)
    messages = cut(segments, fed)
    told = [chunk.tokens for chunk in fed]
    overshoot = segments.overshoot

    assert sum(end.decoded.usage.completion_tokens for end in ends(messages)) in told
    assert sum(end.decoded.usage.prompt_tokens for end in ends(messages)) == (0 if segments.stopped else 7)
    for end in ends(messages):
        own = [m for m in messages if isinstance(m, TextPiece) and m.segment == end.segment]
        assert "".join(piece.text for piece in own) == end.decoded.text
    written = "".join(end.decoded.text for end in ends(messages))
    assert "".join(pieces).startswith(written + overshoot)
    assert segments.stopped or written == "".join(pieces)


def test_halves_of_characters_in_a_call_are_no_text(segments_of: SegmentsOf) -> None:
    half = Call(name="f\ud800", arguments='{"\udc00": 1}', id="\ud83d\ude00")
    (end,) = ends(cut(segments_of(), [Chunk(text="", tokens=1, finish=Finish.EOS, calls=(half,))]))
    assert end.decoded.calls == (Call(name="f\ufffd", arguments='{"\ufffd": 1}', id="\U0001f600"),)


def keeping(pieces: Sequence[str]) -> list[Chunk]:
    """Each token with the id of its place, and half as likely as the one before."""
    return [
        replace(chunk, token_ids=(number,), token_logprobs=(-float(number),)) if chunk.text else chunk
        for number, chunk in enumerate(chunks_of(pieces))
    ]


def test_tokens_are_kept_with_the_segment_that_they_are_counted_in(segments_of: SegmentsOf) -> None:
    first, second = ends(cut(segments_of(), keeping(["a ", "<go>x", "</go> b", "c"])))
    assert first.decoded.kept is not None and second.decoded.kept is not None
    assert first.decoded.kept.token_ids == (0, 1, 2)
    assert second.decoded.kept.token_ids == (3,)
    assert second.decoded.kept.token_logprobs == (-3.0,)
    assert [len(end.decoded.kept.token_ids) for end in (first, second) if end.decoded.kept] == [
        end.decoded.usage.completion_tokens for end in (first, second)
    ]


def test_tokens_past_a_tag_that_stops_are_not_kept(segments_of: SegmentsOf) -> None:
    segmenter = segments_of()
    chunk = Chunk(
        text="a <halt> b c", tokens=4, token_ids=(7, 8, 9, 10), token_logprobs=(0.0, -1.0, -2.0, -3.0)
    )
    segmenter.feed(chunk, 2.0)
    end = segmenter.end(Finish.TAG, 3.0, overshoot_tokens=2)
    assert end.decoded.kept is not None
    assert end.decoded.kept.token_ids == (7, 8)
    assert end.decoded.kept.token_logprobs == (0.0, -1.0)


def test_none_are_kept_where_none_were_told(segments_of: SegmentsOf) -> None:
    (end,) = ends(cut(segments_of(grammar=False), chunks_of(["a ", "b"])))
    assert end.decoded.kept is None
