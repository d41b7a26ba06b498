"""Folds what happens to branches and their segments into changes of those tables."""

from datetime import UTC, datetime
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Timing
from anabranch.dag.decoding.tools import in_words
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.status import BranchStatus
from anabranch.service.store.projections.changes import Change

_LAST_SECOND = 253_402_300_799
"""Of the year 9999; a replica's clock that tells more is not believed."""

_STAGES = ("submitted_at", "admitted_at", "scheduled_at", "first_token_at", "decoded_at")

NO_USAGE = {
    "prompt_tokens": 0,
    "cached_tokens": 0,
    "completion_tokens": 0,
    "reasoning_tokens": 0,
    "cost": 0.0,
}


def fork(record: e.Record, event: e.BranchForked) -> tuple[Change, ...]:
    row = {
        "parent": None if event.child == TRUNK else event.branch,
        "role": event.role,
        "label": event.label,
        "policy": event.policy,
        "model": event.model,
        "tool": event.tool,
        "phase": BranchStatus.QUEUED.value,
        "open_segments": 0,
        "approvals_pending": 0,
        "attempts": 1,
        "replica": None,
        **NO_USAGE,
        "value": None,
        "cause": None,
        "consumed_by": None,
        "forked_at": record.at,
        "started_at": None,
        "first_token_at": None,
        "finished_at": None,
    }
    born = Change("branches", (event.child,), insert=True, set=row)
    return (born,) if event.child == TRUNK else (born, _open(event.branch))


def _open(branch: BranchId, **more: Any) -> Change:
    """Records that a branch has begun."""
    return Change("branches", (branch,), set={"phase": BranchStatus.OPEN.value}, **more)


def start_segment(record: e.Record, event: e.SegmentStarted) -> tuple[Change, ...]:
    row = {
        "continues": event.continues,
        "finish": None,
        **NO_USAGE,
        "replica": None,
        "engine": None,
        "model": event.model,
        "fault": None,
        "started_at": record.at,
        "finished_at": None,
        **dict.fromkeys(_STAGES),
    }
    segment = Change("segments", (event.branch, event.segment, event.attempt), insert=True, set=row)
    opened = Change("branches", (event.branch,), add={"open_segments": 1})
    if event.continues:  # of a branch that may have been cancelled meanwhile
        return segment, opened
    return segment, opened, _open(event.branch, first={"started_at": record.at})


def finish_segment(record: e.Record, event: e.SegmentFinished) -> tuple[Change, ...]:
    decoded = event.decoded
    replica = decoded.replica or None
    spent = _spent(decoded)
    stages = _tell_stages(decoded.timing)
    row = {
        "finish": str(decoded.finish),
        **spent,
        "replica": replica,
        "engine": decoded.engine or None,
        "fault": decoded.fault.cause if decoded.fault else None,
        "finished_at": record.at,
        **stages,
    }
    first_token = {"first_token_at": stages["first_token_at"]}
    return (
        Change("segments", (event.branch, event.segment, event.attempt), set=row),
        Change(
            "branches",
            (event.branch,),
            set={"replica": replica},
            add={**spent, "open_segments": -1},
            first=first_token,
        ),
        Change("jobs", add=spent),
    )


def lose_hedge(_record: e.Record, event: e.HedgeLost) -> tuple[Change, ...]:
    """What the decode cost that does not count; the segment's row tells of the other."""
    spent = _spent(event.decoded)
    return Change("branches", (event.branch,), add=spent), Change("jobs", add=spent)


def _spent(decoded: Decoded) -> dict[str, float]:
    return {
        "prompt_tokens": decoded.usage.prompt_tokens,
        "cached_tokens": decoded.usage.cached_tokens,
        "completion_tokens": decoded.usage.completion_tokens,
        "reasoning_tokens": decoded.usage.reasoning_tokens,
        "cost": decoded.in_fields().cost,
    }


def _tell_stages(timing: Timing) -> dict[str, datetime | None]:
    told = (timing.submitted, timing.admitted, timing.scheduled, timing.first_token, timing.finished)
    return {
        stage: datetime.fromtimestamp(seconds, UTC) if 0 < seconds <= _LAST_SECOND else None
        for stage, seconds in zip(_STAGES, told, strict=True)
    }


def return_value(record: e.Record, event: e.BranchReturned) -> tuple[Change, ...]:
    return _end(record, event, BranchStatus.RETURNED, value=in_words(event.value, event.calls))


def fail(record: e.Record, event: e.BranchFailed) -> tuple[Change, ...]:
    return _end(record, event, BranchStatus.FAILED, cause=f"{event.cause}: {event.detail}".removesuffix(": "))


def cancel(record: e.Record, event: e.BranchCancelled) -> tuple[Change, ...]:
    return _end(record, event, BranchStatus.CANCELLED, cause=event.reason)


def _end(
    record: e.Record,
    event: e.BranchReturned | e.BranchFailed | e.BranchCancelled,
    phase: BranchStatus,
    **more: Any,
) -> tuple[Change, ...]:
    row = {"phase": phase.value, "finished_at": record.at, **more}
    over = Change("branches", (event.branch,), set=row)
    return over, *wait_for_people(event.branch, -len(event.withdrawn))


def retry(_record: e.Record, event: e.BranchRetried) -> tuple[Change, ...]:
    return (Change("branches", (event.branch,), set={"attempts": event.attempt}),)


def wait_for_people(branch: BranchId, more: int) -> tuple[Change, ...]:
    """Lets the job and its branch wait for so many decisions more."""
    if more == 0:
        return ()
    pending = {"approvals_pending": more}
    return Change("branches", (branch,), add=pending), Change("jobs", add=pending)
