"""Ends a job that cannot be resumed: writes why into its journal, without running the policy again."""

from collections.abc import Sequence

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.dag.ids import TRUNK, by_path
from anabranch.dag.state import fold
from anabranch.dag.vocabulary import Cause


def close_journal(records: Sequence[e.Record], failed: e.JobFailed) -> tuple[e.Event, ...]:
    """What to append so that every branch and the job have their terminal event. A job that had committed its answer
    keeps it, and succeeds."""
    state = fold(record.event for record in records)
    events: list[e.Event] = []
    lost = Decoded(text="", finish=Finish.ERROR, fault=Fault(cause=Cause.ORGANIZER_LOST, retryable=False))
    for branch, hedged in state.hedges.items():
        events.append(
            e.HedgeLost(branch=branch, segment=hedged.segment, attempt=hedged.attempt, decoded=lost)
        )
    for branch in sorted(state.open_segments, key=by_path):
        opened = state.branches[branch].open
        assert opened is not None
        events.append(
            e.SegmentFinished(branch=branch, segment=opened.segment, attempt=opened.attempt, decoded=lost)
        )
    deepest_first = sorted(state.live - {TRUNK}, key=lambda branch: (-branch.count("."), by_path(branch)))
    events += (
        e.BranchCancelled(
            branch=branch,
            reason=failed.title,
            by=e.CancelledBy.PARENT,
            withdrawn=state.branches[branch].undecided,
        )
        for branch in deepest_first
    )
    withdrawn = state.branches[TRUNK].undecided
    if state.answer is not None:
        answer = state.answer
        returned = e.BranchReturned(value=answer.text, calls=answer.calls, withdrawn=withdrawn)
        events += [returned] if TRUNK in state.live else []
        return (*events, e.JobSucceeded())
    if TRUNK in state.live:
        events.append(e.BranchFailed(cause=failed.type, detail=failed.detail, withdrawn=withdrawn))
    return (*events, failed)
