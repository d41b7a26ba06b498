"""Recorded jobs: what their branches wrote is what they write again."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.service.conftest import hedged_vote

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Decoding, Fault, Finish, Usage
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.simulation.models.recorded import Journal
from anabranch.dag.text import Context, say

SPEC = JobSpec(messages=(say("user", "q"),), policy="sequential", approvals=("answer",))


def records(*events: e.Event) -> list[e.Record]:
    submitted = e.JobSubmitted(spec=SPEC, policy_version="")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        e.Record(job=JobId("j"), seq=seq, epoch=1, at=at, event=event, prev_hash="", hash="")
        for seq, event in enumerate((submitted, *events), start=1)
    ]


def decode(
    branch: BranchId, *parts: tuple[str, int, Finish], prompt: int = 0, segment: int = 1
) -> list[e.Event]:
    """One decode: its segments with their tokens and why they ended."""
    events: list[e.Event] = []
    for place, (text, tokens, finish) in enumerate(parts):
        usage = Usage(completion_tokens=tokens, prompt_tokens=0 if place else prompt)
        fault = Fault(cause="engine-error") if finish is Finish.ERROR else None
        decoded = Decoded(text=text, finish=finish, usage=usage, open=place < len(parts) - 1, fault=fault)
        events.append(e.SegmentStarted(branch=branch, segment=segment + place, continues=place > 0))
        events.append(e.SegmentFinished(branch=branch, segment=segment + place, attempt=1, decoded=decoded))
    return events


def ask(branch: BranchId) -> c.Decode:
    return c.Decode(
        branch=branch, segment=1, attempt=1, context=Context(()), decoding=Decoding(), seed=1, model=None, affinity=""
    )  # fmt: skip


def told(journal: Journal, branch: BranchId, times: int = 1) -> list[list[tuple[int, str, Finish]]]:
    model = journal.model()
    outputs = [model(ask(branch)) for _ in range(times)]
    return [[(cut.tokens, cut.decoded.text, cut.decoded.finish) for cut in output.cuts] for output in outputs]


def test_the_decodes_of_a_branch_come_in_their_order_with_their_segments_and_prompts() -> None:
    first = decode(TRUNK, ("a", 5, Finish.TAG), ("bc", 7, Finish.TAG), prompt=90)
    journal = Journal.read(records(*first, *decode(TRUNK, ("d", 2, Finish.EOS), segment=3)))
    assert told(journal, TRUNK, 2) == [
        [(5, "a", Finish.TAG), (12, "bc", Finish.TAG)],
        [(2, "d", Finish.EOS)],
    ]
    assert journal.model()(ask(TRUNK)).prompt_tokens == 90
    assert journal.spec == replace(SPEC, approvals=())


def test_failed_tries_are_left_out_and_interrupted_text_is_put_together() -> None:
    events = [
        *decode(TRUNK, ("lost", 3, Finish.ERROR)),
        *decode(TRUNK, ("be", 4, Finish.INTERRUPTED), prompt=50, segment=2),
        *decode(TRUNK, ("gun", 6, Finish.EOS), segment=3),
    ]
    assert told(Journal.read(records(*events)), TRUNK) == [[(10, "begun", Finish.EOS)]]


def test_what_was_aborted_is_written_to_a_length_that_is_usual_for_its_branch() -> None:
    events = [
        *decode(TRUNK, ("x" * 40, 10, Finish.EOS)),
        *decode(TRUNK, ("x" * 12, 3, Finish.ABORT), segment=2),
    ]
    [_, [(tokens, text, finish)]] = told(Journal.read(records(*events)), TRUNK, 2)
    assert (tokens, len(text), finish) == (10, 40, Finish.EOS)


def test_where_more_is_asked_for_than_was_recorded_another_decode_stands_in() -> None:
    journal = Journal.read(records(*decode(TRUNK, ("a", 5, Finish.EOS))))
    assert told(journal, BranchId("0.7"), 2) == [[(5, "a", Finish.EOS)]] * 2
    assert told(Journal.read(records()), TRUNK) == [[(1, "", Finish.EOS)]]


def test_a_tool_gives_what_it_gave() -> None:
    tool = BranchId("0.1")
    forked = e.BranchForked(child=tool, role="tool", tool="clock")
    journal = Journal.read(records(forked, *decode(tool, ("noon", 0, Finish.EOS))))
    call = c.RunTool(branch=tool, segment=1, attempt=1, tool="clock", arguments={})
    assert journal.tool(call) == "noon"


def test_of_two_decodes_the_one_that_counts_is_told_again() -> None:
    journal = Journal.read(hedged_vote().records)
    assert told(journal, BranchId("0.2")) == [[(30, "42", Finish.EOS)]]


def test_a_journal_without_its_job_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin with a job"):
        Journal.read(records()[1:])
