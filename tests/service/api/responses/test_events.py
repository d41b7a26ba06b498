"""One response has one sequence of events, whoever streams it and however what it is made of arrived."""

from collections.abc import Iterator
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter
from tests.service.api.responses.rows import job_row

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.status import JobStatus
from anabranch.service.api.responses.events import ResponseEvents, pieces
from anabranch.service.api.responses.view import ResponseView
from anabranch.service.api.views.job import job_view

SENT = {"model": "anabranch/sequential", "input": "Why?"}
PARSED = {
    get_args(kind.model_fields["type"].annotation)[0]: TypeAdapter(kind)
    for kind in get_args(get_args(ResponseStreamEvent)[0])
}
"""OpenAI's own types, which its client does not validate by."""

texts = st.text(alphabet=st.sampled_from("aß語 \n\t.é\u2028"), max_size=60) | st.text(max_size=30)
journals = st.lists(
    st.one_of(
        st.builds(
            lambda text: e.SegmentFinished(
                branch=BranchId("0.1"), segment=1, attempt=1, decoded=Decoded(text=text, finish=Finish.EOS)
            ),
            texts,
        ),
        st.builds(lambda label: e.BranchForked(child=BranchId("0.1"), role="sample", label=label), texts),
        st.just(e.JobClaimed(owner="here", attempt=1)),
        st.just(e.JoinRequested(join=1, targets=(BranchId("0.1"),), mode=e.Mode.ALL)),
        st.just(e.BranchFailed(branch=BranchId("0.1"), cause="timeout")),
    ),
    max_size=8,
)


def view(background: bool = False, **job: Any) -> ResponseView:
    return ResponseView(job_view(job_row(**job)), SENT | {"background": background})


def answered(text: str, **more: Any) -> ResponseView:
    return view(answer={"text": text, "sources": ["0"]} | more, status=JobStatus.SUCCEEDED)


def told(journal: list[e.Event], end: ResponseView, background: bool = False) -> Iterator[dict[str, Any]]:
    fold = ResponseEvents(view(background))
    yield from fold.begin()
    for event in journal:
        yield from fold.read(event)
    yield from fold.end(end, 0)


def deltas(events: list[dict[str, Any]], kind: str) -> str:
    return "".join(event["delta"] for event in events if event["type"] == f"response.{kind}.delta")


@given(texts)
def test_pieces_are_the_text(text: str) -> None:
    found = list(pieces(text))
    assert "".join(found) == text
    assert all(1 <= len(piece) <= 16 for piece in found)


@given(journals, texts)
def test_numbers_grow_by_one_and_no_letter_is_lost(journal: list[e.Event], text: str) -> None:
    events = list(told(journal, answered(text)))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    response = events[-1]["response"]
    reasoning = "".join(
        item["summary"][0]["text"] for item in response["output"] if item["type"] == "reasoning"
    )
    assert deltas(events, "reasoning_summary_text") == reasoning
    assert deltas(events, "output_text") == text == response["output"][-1]["content"][0]["text"]
    for event in events:
        PARSED[event["type"]].validate_python(event)


@given(journals, texts)
def test_every_item_has_its_place(journal: list[e.Event], text: str) -> None:
    events = list(told(journal, answered(text)))
    added = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    done = [event["output_index"] for event in events if event["type"] == "response.output_item.done"]
    assert added == done == list(range(len(events[-1]["response"]["output"])))
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert items == events[-1]["response"]["output"]
    for event in events:
        if "item_id" in event:
            assert event["item_id"] == items[event["output_index"]]["id"]


def kinds(journal: list[e.Event], end: ResponseView, background: bool = False) -> list[str]:
    return [event["type"].removeprefix("response.") for event in told(journal, end, background)]


FORKED = e.BranchForked(child=BranchId("0.1"), role="sample")
CLAIMED = e.JobClaimed(owner="here", attempt=1)
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


def test_the_order_of_a_response_that_completes() -> None:
    assert kinds([CLAIMED, FORKED, CLAIMED], answered("42")) == [
        "created", "in_progress", *REASONED, *SAID, "completed"
    ]  # fmt: skip
    assert kinds([CLAIMED], answered("42"), background=True) == [
        "created", "queued", "in_progress", *SAID, "completed"
    ]  # fmt: skip


def test_the_order_of_one_that_does_not() -> None:
    error = {"type": "timeout", "title": "The trunk could not be decoded", "detail": "It fell silent."}
    failed = view(status=JobStatus.FAILED, error=error)
    assert kinds([CLAIMED, FORKED], failed) == ["created", "in_progress", *REASONED, "failed"]
    assert kinds([], view(status=JobStatus.CANCELLED)) == ["created", "cancelled"]
    cut = answered("It is", truncated=True)
    assert kinds([CLAIMED], cut)[-1] == "incomplete"
    last = list(told([CLAIMED, FORKED], failed))[-1]["response"]
    assert (last["status"], last["error"]["code"]) == ("failed", "server_error")
    assert last["error"]["message"] == "The trunk could not be decoded. It fell silent."


def test_what_the_client_did_wrong_is_told_as_its_fault() -> None:
    error = {"type": "prompt-too-long", "title": "Too long", "detail": "It has 9 tokens."}
    last = list(told([CLAIMED], view(status=JobStatus.FAILED, error=error)))[-1]["response"]
    assert last["error"]["code"] == "invalid_prompt"
