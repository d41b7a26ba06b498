"""One response has one sequence of events, whoever streams it and however what it is made of arrived."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter
from tests.service.api.responses.rows import JOB, job_row

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.job import AnswerFormat, JobSpec
from anabranch.dag.status import JobStatus
from anabranch.dag.text import say
from anabranch.service.api.live.text import LiveText
from anabranch.service.api.responses.events import ResponseEvents
from anabranch.service.api.responses.pieces import Pieces
from anabranch.service.api.responses.view import ResponseView
from anabranch.service.api.views.job import job_view

SENT = {"model": "anabranch/sequential", "input": "Why?"}
SPEC = JobSpec(messages=(say("user", "Why?"),), policy="sequential")
SAMPLE = BranchId("0.1")
PARSED: dict[str, TypeAdapter[Any]] = {
    get_args(kind.model_fields["type"].annotation)[0]: TypeAdapter(kind)
    for kind in get_args(get_args(ResponseStreamEvent)[0])
}
"""OpenAI's own types, which its client does not validate by."""

Events = list[dict[str, Any]]
words = st.text(alphabet=st.sampled_from("aß語 \n\t.é\u2028-"), max_size=60) | st.text(max_size=30)


def record(event: e.Event) -> e.Record:
    at = datetime(2026, 3, 14, tzinfo=UTC)
    return e.Record(job=JOB, seq=1, epoch=1, at=at, event=event, prev_hash="", hash="")


def started(segment: int = 1, branch: BranchId = TRUNK, *, final: bool = True) -> e.SegmentStarted:
    return e.SegmentStarted(branch=branch, segment=segment, final=final)


def finished(
    text: str,
    segment: int = 1,
    branch: BranchId = TRUNK,
    *,
    thought: str = "",
    finish: Finish = Finish.EOS,
) -> e.SegmentFinished:
    fault = Fault(cause="replica-died") if finish is Finish.ERROR else None
    decoded = Decoded(text=text, thought=thought, finish=finish, fault=fault)
    return e.SegmentFinished(branch=branch, segment=segment, attempt=1, decoded=decoded)


FORKED = e.BranchForked(child=SAMPLE, role="sample")
CLAIMED = e.JobClaimed(owner="here", attempt=1)


def view(background: bool = False, **job: Any) -> ResponseView:
    return ResponseView(job_view(job_row(**job)), SENT | {"background": background})


def answered(text: str, **more: Any) -> ResponseView:
    return view(answer={"text": text, "sources": ["0"]} | more, status=JobStatus.SUCCEEDED)


def told(
    come: Sequence[e.Event | LiveText], end: ResponseView, spec: JobSpec = SPEC, *, background: bool = False
) -> Events:
    """All events, where records and live text come in this order, one by one."""
    fold = ResponseEvents(view(background), spec)
    events = fold.begin()
    for each in come:
        events += fold.read([], [each]) if isinstance(each, LiveText) else fold.read([record(each)])
    return events + fold.end(end, 0)


def deltas(events: Events, kind: str) -> str:
    return "".join(event["delta"] for event in events if event["type"] == f"response.{kind}.delta")


# -- any journal


@dataclass(frozen=True)
class Course:
    """How a job went, and what was known of its final thought before the records of it."""

    journal: list[e.Event]
    answer: str
    form: AnswerFormat
    reasoning: str
    live: list[tuple[int, list[LiveText]]]
    """Of each segment of the final thought: the place of its end in the journal, and its text in portions."""


BESIDE: st.SearchStrategy[list[e.Event]] = st.lists(
    st.one_of(
        words.map(lambda text: finished(text, branch=SAMPLE)),
        words.map(lambda label: replace(FORKED, label=label)),
        st.sampled_from([CLAIMED, e.BranchFailed(branch=SAMPLE, cause="timeout")]),
    ),
    max_size=4,
)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Events of branches, then perhaps a final thought in segments, with other branches' events between them."""
    journal: list[e.Event] = [CLAIMED, *draw(BESIDE)]
    form = AnswerFormat(stop=tuple(draw(st.lists(st.text("aß語", min_size=1, max_size=3), max_size=1))))
    lines = "".join(line_of(event) for event in journal)
    if draw(st.booleans()):
        answer = draw(words)
        return Course([*journal, e.AnswerCommitted(text=answer)], answer, form, lines, [])
    thought, text = draw(words), draw(words)
    segments = [(thought, text)]
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(text)))
        segments = [(thought, text[:cut]), ("", text[cut:])]
        if not text[:cut] and draw(st.booleans()):
            cut = draw(st.integers(0, len(thought)))
            segments = [(thought[:cut], ""), (thought[cut:], text)]
    live = []
    for number, (part, written) in enumerate(segments, start=1):
        journal += [started(number), *draw(BESIDE)]
        finish = Finish.EOS if number == len(segments) else Finish.INTERRUPTED
        journal.append(finished(written, number, thought=part, finish=finish))
        live.append((len(journal) - 1, portions(draw, number, part, written)))
    answer = form.cut(text).strip()
    journal += [*draw(BESIDE), e.AnswerCommitted(text=answer), *draw(BESIDE)]
    return Course(journal, answer, form, lines + thought, live)


def line_of(event: e.Event) -> str:
    match event:
        case e.SegmentFinished(decoded=decoded) if decoded.text:
            return f"[0.1] {decoded.text}\n"
        case e.BranchForked(label=label):
            return f"[0.1] sample{': ' if label else ''}{label}\n"
        case e.BranchFailed():
            return "[0.1] failed\n"
        case _:
            return ""


def portions(draw: st.DrawFn, segment: int, thought: str, text: str) -> list[LiveText]:
    """The live text of a segment from its beginning on, as far as it came before the record of its end."""
    whole = [(True, letter) for letter in thought] + [(False, letter) for letter in text]
    cuts = sorted(draw(st.sets(st.integers(1, len(whole)), max_size=4))) if whole else []
    cut = []
    for begin, end in zip([0, *cuts], cuts, strict=False):
        before, new = whole[:begin], whole[begin:end]
        cut.append(
            LiveText(
                branch=TRUNK,
                segment=segment,
                final=True,
                at=sum(not is_thought for is_thought, _ in before),
                text="".join(letter for is_thought, letter in new if not is_thought),
                thought_at=sum(is_thought for is_thought, _ in before),
                thought="".join(letter for is_thought, letter in new if is_thought),
            )
        )
    return cut


def arrivals(data: st.DataObject, course: Course) -> list[e.Event | LiveText]:
    """The journal with the live text of each segment somewhere between the records of its beginning and its end."""
    come: list[e.Event | LiveText] = list(course.journal)
    for end, live in reversed(course.live):
        begin = max(at for at in range(end) if isinstance(course.journal[at], e.SegmentStarted))
        places = sorted(data.draw(st.integers(begin + 1, end)) for _ in live)
        for place, text in reversed(list(zip(places, live, strict=True))):
            come.insert(place, text)
    return come


@given(courses(), st.data())
def test_the_events_are_the_same_however_the_text_arrived(course: Course, data: st.DataObject) -> None:
    spec = replace(SPEC, answer_format=course.form)
    later = told(course.journal, answered(course.answer), spec)
    live = told(arrivals(data, course), answered(course.answer), spec)
    assert live == later


@given(courses(), st.data())
def test_what_is_sent_behind_any_event_is_what_was_missing(course: Course, data: st.DataObject) -> None:
    spec = replace(SPEC, answer_format=course.form)
    fold = ResponseEvents(view(), spec)
    come = arrivals(data, course)
    until = data.draw(st.integers(0, len(come)))
    seen = fold.begin()
    for each in come[:until]:
        seen += fold.read([], [each]) if isinstance(each, LiveText) else fold.read([record(each)])
    elsewhere = told(course.journal, answered(course.answer), spec)
    behind = [event for event in elsewhere if event["sequence_number"] > seen[-1]["sequence_number"]]
    assert seen + behind == elsewhere


@given(courses())
def test_numbers_grow_by_one_and_no_letter_is_lost(course: Course) -> None:
    events = told(course.journal, answered(course.answer), replace(SPEC, answer_format=course.form))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert deltas(events, "reasoning_summary_text") == course.reasoning
    assert deltas(events, "output_text") == course.answer
    *before, message = events[-1]["response"]["output"]
    assert message["content"][0]["text"] == course.answer
    assert [item["summary"][0]["text"] for item in before] == [course.reasoning][: len(course.reasoning)]
    for event in events:
        PARSED[event["type"]].validate_python(event)


@given(courses())
def test_every_item_has_its_place(course: Course) -> None:
    events = told(course.journal, answered(course.answer), replace(SPEC, answer_format=course.form))
    added = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    done = [event["output_index"] for event in events if event["type"] == "response.output_item.done"]
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert added == done == list(range(len(items)))
    assert items == events[-1]["response"]["output"]
    for event in events:
        if "item_id" in event:
            assert event["item_id"] == items[event["output_index"]]["id"]


@given(words, st.lists(st.integers(0, 60), max_size=6))
def test_pieces_depend_on_the_letters_alone(text: str, cuts: list[int]) -> None:
    whole = Pieces()
    at_once = [*whole.feed(text), *whole.rest()]
    parted, bit_by_bit = Pieces(), []
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for begin, end in pairwise(places):
        bit_by_bit += parted.feed(text[begin:end])
    assert [*bit_by_bit, *parted.rest()] == at_once
    assert "".join(at_once) == text
    assert all(1 <= len(piece) <= 16 for piece in at_once)


# -- the order


def kinds(come: Sequence[e.Event], end: ResponseView, background: bool = False) -> list[str]:
    return [event["type"].removeprefix("response.") for event in told(come, end, background=background)]


REASONED = [
    "output_item.added",
    "reasoning_summary_part.added",
    "reasoning_summary_text.delta",
    "reasoning_summary_text.done",
    "reasoning_summary_part.done",
    "output_item.done",
]
SAID = [
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
]
CALLED = [
    "output_item.added",
    "function_call_arguments.delta",
    "function_call_arguments.done",
    "output_item.done",
]
COMMITTED = e.AnswerCommitted(text="42")


def test_the_order_of_a_response_that_completes() -> None:
    assert kinds([CLAIMED, FORKED, CLAIMED, COMMITTED], answered("42")) == [
        "created", "in_progress", *REASONED, *SAID, "completed"
    ]  # fmt: skip
    assert kinds([CLAIMED, COMMITTED], answered("42"), background=True) == [
        "created", "queued", "in_progress", *SAID, "completed"
    ]  # fmt: skip
    assert kinds([CLAIMED, COMMITTED], answered("42", truncated=True))[-1] == "incomplete"


def test_calls_come_behind_the_text_and_without_one_alone() -> None:
    calls = [{"id": "", "name": "f", "arguments": '{"a": 1}'}, {"id": "c2", "name": "g", "arguments": "{}"}]
    both = answered("42", calls=calls)
    assert kinds([CLAIMED, COMMITTED], both) == [
        "created", "in_progress", *SAID, *CALLED, *CALLED, "completed"
    ]  # fmt: skip
    alone = told([CLAIMED, e.AnswerCommitted(text="")], answered("", calls=calls))
    output = alone[-1]["response"]["output"]
    assert [(item["type"], item["call_id"], item["name"], item["arguments"]) for item in output] == [
        ("function_call", f"call_{JOB}_0", "f", '{"a": 1}'),
        ("function_call", "c2", "g", "{}"),
    ]
    assert len({item["id"] for item in output}) == 2
    for event in alone:
        PARSED[event["type"]].validate_python(event)


def test_the_order_of_one_that_does_not() -> None:
    error = {"type": "timeout", "title": "The trunk could not be decoded", "detail": "It fell silent."}
    failed = view(status=JobStatus.FAILED, error=error)
    assert kinds([CLAIMED, FORKED], failed) == ["created", "in_progress", *REASONED, "failed"]
    assert kinds([], view(status=JobStatus.CANCELLED)) == ["created", "cancelled"]
    last = told([CLAIMED, FORKED], failed)[-1]["response"]
    assert (last["status"], last["error"]["code"]) == ("failed", "server_error")
    assert last["error"]["message"] == "The trunk could not be decoded. It fell silent."


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_what_was_told_of_an_answer_stays_when_its_job_ends_without_one(status: JobStatus) -> None:
    error = {"type": "timeout", "title": "t", "detail": ""} if status is JobStatus.FAILED else None
    events = told([started(), finished("It is for", finish=Finish.ABORT)], view(status=status, error=error))
    assert deltas(events, "output_text") == "It is for"
    (message,) = events[-1]["response"]["output"]
    assert (message["status"], message["content"][0]["text"]) == ("incomplete", "It is for")


def test_an_answer_other_than_what_was_told_is_told_at_its_end() -> None:
    journal: list[e.Event] = [
        started(branch=SAMPLE),
        finished("It is ", branch=SAMPLE, finish=Finish.ERROR),
        started(),
        finished("That is 7."),
        e.AnswerCommitted(text="That is 7."),
    ]
    events = told(journal, answered("That is 7."))
    assert deltas(events, "output_text") == "It is"
    done = next(event for event in events if event["type"] == "response.output_text.done")
    assert done["text"] == "That is 7." == events[-1]["response"]["output"][0]["content"][0]["text"]


def test_what_the_client_did_wrong_is_told_as_its_fault() -> None:
    error = {"type": "prompt-too-long", "title": "Too long", "detail": "It has 9 tokens."}
    last = told([CLAIMED], view(status=JobStatus.FAILED, error=error))[-1]["response"]
    assert last["error"]["code"] == "invalid_prompt"
