"""Taking up a job: when it is poison, and what is said about decodes that were lost."""

from datetime import UTC, datetime

import pytest

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.limits import Limits
from anabranch.service.organizer.resume import end_lost_segment, lost_in_vain
from anabranch.service.store.rows import Checkpoint

STARTED = e.SegmentStarted(segment=2, attempt=1, max_tokens=100)


def journal(*events: e.Event) -> list[e.Record]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        e.Record(job=JobId("j"), seq=seq, epoch=1, at=at, event=event, prev_hash="", hash="")
        for seq, event in enumerate(events, start=1)
    ]


def claimed(attempt: int) -> e.JobClaimed:
    return e.JobClaimed(owner="o", attempt=attempt)


def finished(finish: Finish) -> e.SegmentFinished:
    fault = Fault(cause="organizer-lost") if finish is Finish.ERROR else None
    return e.SegmentFinished(segment=1, attempt=1, decoded=Decoded(text="", finish=finish, fault=fault))


@pytest.mark.parametrize(
    ("events", "lost"),
    [
        ([], 3),
        ([claimed(1), claimed(1), claimed(1)], 3),
        ([claimed(1), claimed(2), finished(Finish.ERROR), claimed(3), finished(Finish.ERROR)], 3),
        ([claimed(1), claimed(3), finished(Finish.EOS)], 1),
        ([claimed(1), claimed(2), finished(Finish.INTERRUPTED), claimed(3)], 2),
        ([claimed(3), e.ApprovalDecided(approval=1, decision="approve"), claimed(3)], 1),
    ],
)
def test_organizers_lost_since_the_job_last_got_anywhere_count(events: list[e.Event], lost: int) -> None:
    assert lost_in_vain(journal(*events), attempt=4) == lost


def saved(segment: int = 2, attempt: int = 1) -> dict[BranchId, Checkpoint]:
    return {TRUNK: Checkpoint(branch=TRUNK, segment=segment, attempt=attempt, text="so far", tokens=2)}


def test_free_text_goes_on_from_its_checkpoint_and_its_tokens_are_paid_once() -> None:
    decoded = end_lost_segment(STARTED, saved(), Limits(completion_price=0.5)).decoded
    assert (decoded.finish, decoded.text, decoded.usage.completion_tokens) == (
        Finish.INTERRUPTED,
        "so far",
        2,
    )
    assert decoded.cost == 1.0


@pytest.mark.parametrize("other", [saved(segment=1), saved(attempt=2), {}])
def test_a_checkpoint_of_another_segment_is_not_this_ones(other: dict[BranchId, Checkpoint]) -> None:
    decoded = end_lost_segment(STARTED, other, Limits()).decoded
    assert (decoded.finish, decoded.usage.completion_tokens) == (Finish.ERROR, 0)


def test_text_under_a_grammar_is_decoded_again_and_what_was_lost_is_counted() -> None:
    started = e.SegmentStarted(segment=2, attempt=1, grammar="async-think")
    decoded = end_lost_segment(started, saved(), Limits()).decoded
    assert (decoded.finish, decoded.text, decoded.usage.completion_tokens) == (Finish.ERROR, "", 2)
