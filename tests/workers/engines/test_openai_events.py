"""Events are read from bytes, however these are cut; and any JSON makes parts, however it is bent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workers.engines.misbehaviours import FAILED, READ

from anabranch.workers.engines.openai import events
from anabranch.workers.engines.openai.events import Done, Event, EventReader, NoStream, TooLong
from anabranch.workers.engines.openai.parts import read_parts

BODIES = [b"".join(answer.pieces) for answer, _ in (READ | FAILED).values()]


def heard(*pieces: bytes) -> list[Event | Done | NoStream]:
    reader = EventReader()
    return [each for piece in pieces for each in reader.feed(piece)] + list(reader.close())


@given(st.sampled_from([body for body in BODIES if len(body) < 5000]), st.data())
def test_where_bytes_are_cut_changes_nothing(body: bytes, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(body)), max_size=12).map(sorted))
    pieces = [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]
    assert heard(*pieces) == heard(body)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    for each in heard(body):
        if isinstance(each, Event):
            list(read_parts(each.data, each.name))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_three_ways(end: str) -> None:
    body = f'event: error{end}data: {{"a":{end}data:  1}}{end}{end}data: [DONE]{end}'.encode()
    assert heard(body) == [Event({"a": 1}, "error"), Done()]


def test_an_event_is_there_before_its_blank_line() -> None:
    reader = EventReader()
    assert list(reader.feed(b'data: {"a": 1}\n')) == [Event({"a": 1})]


def test_a_page_is_noticed_at_its_first_line() -> None:
    assert NoStream() in list(EventReader().feed(b"\n <!DOCTYPE html>\n"))


def test_a_line_without_an_end_is_not_heard_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LONGEST_LINE", 1000)
    with pytest.raises(TooLong):
        heard(*[b"x" * 100] * 20)
    with pytest.raises(TooLong):
        heard(*[b"It works!\n" * 10] * 20)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "choices",
    "delta",
    "message",
    "content",
    "text",
    "usage",
    "error",
    "errors",
    "detail",
    "metadata",
    "code",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "prompt_tokens_details",
    "cached_tokens",
    "x_groq",
]
CHUNKS = st.recursive(
    JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)


@given(CHUNKS)
def test_whatever_json_comes_parts_are_sound(value: Any) -> None:
    for part in read_parts(json.loads(json.dumps(value))):
        counts = (part.counts.prompt, part.counts.cached, part.counts.completion)
        assert all(count is None or 0 <= count < 2**31 for count in counts)
        assert isinstance(part.text, str)
        assert isinstance(part.finish, str)
        assert part.refusal is None or len(part.refusal.message) <= 401
