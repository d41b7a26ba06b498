"""Ends a job that cannot be resumed: writes why into its journal, without running the policy again."""

from collections.abc import Sequence

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, by_path
from anabranch.dag.state import JobState


def close_journal(state: JobState, lost: Sequence[e.Event], failed: e.JobFailed) -> tuple[e.Event, ...]:
    """What to append so that every branch and the job have their terminal event: first `lost`, the ends of all decodes
    that were open. A job that had committed its answer keeps it, and succeeds."""
    events = list(lost)
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
