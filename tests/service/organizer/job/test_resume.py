"""Taking up a job: when it is poison, and what is said about decodes that were lost."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish, Usage
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.limits import Limits
from anabranch.service.organizer.job.lost_decodes import end_lost_segment, find_saved
from anabranch.service.organizer.job.resume import (
    CannotGoOn,
    last_progress,
    refuse_poison,
)
from anabranch.service.store.jobs.suspicions import Loss, Suspicion
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


def suspicion(head_seq: int, reason: Loss = Loss.ENDED) -> Suspicion:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Suspicion(epoch=head_seq, head_seq=head_seq, owner="o", reason=reason, at=at)


@pytest.mark.parametrize(
    ("events", "held"),
    [
        ([], [1, 2, 3]),
        ([claimed(1), claimed(1), claimed(1)], [1, 2, 3]),
        ([claimed(1), finished(Finish.ERROR), finished(Finish.ERROR)], [1, 2, 3]),
        ([claimed(1), finished(Finish.EOS), claimed(2)], [2, 3]),
        ([claimed(1), finished(Finish.TAG), finished(Finish.LENGTH)], [3]),
        ([claimed(1), claimed(2), claimed(3), finished(Finish.EOS)], []),
        ([claimed(1), finished(Finish.INTERRUPTED), finished(Finish.INTERRUPTED)], [1, 2, 3]),
        ([claimed(1), e.ApprovalDecided(approval=1, decision=e.Choice.APPROVE), claimed(1)], [2, 3]),
    ],
)
def test_suspicions_since_the_job_last_got_anywhere_count(events: list[e.Event], held: list[int]) -> None:
    progress = last_progress(journal(*events))
    assert [seq for seq in (1, 2, 3) if seq >= progress] == held


@pytest.mark.parametrize(
    ("losses", "poison"),
    [
        ([Loss.ENDED, Loss.HELD], False),
        ([Loss.ENDED, Loss.HELD, Loss.ENDED], True),
        ([Loss.BROKE] * 4, False),
        ([Loss.BROKE] * 5, True),
        ([Loss.BROKE] * 4 + [Loss.HELD] * 2, False),
    ],
)
def test_a_job_that_costs_organizers_too_often_ends_with_the_evidence(
    losses: list[Loss], poison: bool
) -> None:
    evidence = [suspicion(seq, reason) for seq, reason in enumerate(losses, start=1)]
    if not poison:
        refuse_poison(evidence)
        return
    with pytest.raises(CannotGoOn, match="It got nowhere") as refusal:
        refuse_poison(evidence)
    assert refusal.value.failed.type == "poison"


def saved(segment: int = 2, attempt: int = 1) -> dict[BranchId, Checkpoint]:
    return {TRUNK: Checkpoint(branch=TRUNK, segment=segment, attempt=attempt, text="so far", tokens=2)}


def test_free_text_goes_on_from_its_checkpoint_and_its_tokens_are_paid_once() -> None:
    decoded = end_lost_segment(
        STARTED, find_saved(STARTED, saved(), ()), Limits(completion_price=0.5)
    ).decoded
    assert (decoded.finish, decoded.text, decoded.usage.completion_tokens) == (
        Finish.INTERRUPTED,
        "so far",
        2,
    )
    assert decoded.cost == 1.0


@pytest.mark.parametrize(
    "started",
    [STARTED, replace(STARTED, structured=True), replace(STARTED, grammar="apr")],
    ids=["free", "structured", "tags"],
)
def test_a_thought_goes_on_from_its_checkpoint_whatever_form_its_text_will_have(
    started: e.SegmentStarted,
) -> None:
    checkpoint = replace(saved()[TRUNK], text="", thought="so far", tokens=2, reasoning_tokens=2)
    decoded = end_lost_segment(started, find_saved(started, {TRUNK: checkpoint}, ()), Limits()).decoded
    assert (decoded.finish, decoded.thought, decoded.text) == (Finish.INTERRUPTED, "so far", "")
    assert decoded.usage == Usage(completion_tokens=2, reasoning_tokens=2)


def test_a_text_behind_its_thought_goes_on_with_both() -> None:
    checkpoint = replace(saved()[TRUNK], thought="before", reasoning_tokens=1)
    decoded = end_lost_segment(STARTED, find_saved(STARTED, {TRUNK: checkpoint}, ()), Limits()).decoded
    assert (decoded.finish, decoded.thought, decoded.text) == (Finish.INTERRUPTED, "before", "so far")


@pytest.mark.parametrize("other", [saved(segment=1), saved(attempt=2), {}])
def test_a_checkpoint_of_another_segment_is_not_this_ones(other: dict[BranchId, Checkpoint]) -> None:
    decoded = end_lost_segment(STARTED, find_saved(STARTED, other, ()), Limits()).decoded
    assert (decoded.finish, decoded.usage.completion_tokens) == (Finish.ERROR, 0)


@pytest.mark.parametrize(
    "started",
    [STARTED, replace(STARTED, structured=True), replace(STARTED, grammar="apr")],
    ids=["free", "structured", "tags"],
)
def test_what_was_handed_over_before_anything_came_is_not_lost(started: e.SegmentStarted) -> None:
    nothing = replace(saved()[TRUNK], text="", tokens=0)
    decoded = end_lost_segment(started, find_saved(started, {TRUNK: nothing}, ()), Limits()).decoded
    assert (decoded.finish, decoded.text, decoded.usage) == (Finish.INTERRUPTED, "", Usage())


def test_tokens_whose_text_was_not_kept_are_lost() -> None:
    unseen = replace(saved()[TRUNK], text="", tokens=3)
    decoded = end_lost_segment(STARTED, find_saved(STARTED, {TRUNK: unseen}, ()), Limits()).decoded
    assert (decoded.finish, decoded.usage.completion_tokens) == (Finish.ERROR, 3)


def test_text_under_a_grammar_is_decoded_again_and_what_was_lost_is_counted() -> None:
    started = e.SegmentStarted(segment=2, attempt=1, grammar="async-think")
    decoded = end_lost_segment(started, find_saved(started, saved(), ()), Limits()).decoded
    assert (decoded.finish, decoded.text, decoded.usage.completion_tokens) == (Finish.ERROR, "", 2)
