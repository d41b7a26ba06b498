"""Folds a journal into changes of tables: each event changes a few rows."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.decoding import Timing
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.status import BranchStatus, JobStatus
from anabranch.service.store.codec import spec_to_json
from anabranch.service.store.identity import approval_id
from anabranch.service.store.projections.changes import Change, merge_changes

_LAST_SECOND = 253_402_300_799
"""Of the year 9999; a replica's clock that tells more is not believed."""

_STAGES = ("submitted_at", "admitted_at", "scheduled_at", "first_token_at", "decoded_at")

_NO_USAGE = {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "cost": 0.0}


def fold(records: Iterable[e.Record]) -> list[Change]:
    """What these records of one job do, one change per row."""
    return merge_changes(change for record in records for change in project(record))


def project(record: e.Record) -> tuple[Change, ...]:
    """What one record does."""
    projector = _PROJECTORS.get(type(record.event))
    return projector(record, record.event) if projector else ()


# -- the job -----------------------------------------------------------------------------------------------------------


def _submitted(record: e.Record, event: e.JobSubmitted) -> tuple[Change, ...]:
    spec = event.spec
    job = {
        "phase": JobStatus.QUEUED.value,
        "approvals_pending": 0,
        "question": spec.question,
        "policy": spec.policy,
        "priority": spec.priority,
        "spec": spec_to_json(spec),
        "policy_version": event.policy_version,
        "answer": None,
        "error": None,
        **_NO_USAGE,
        "started_at": None,
        "finished_at": None,
    }
    trunk = e.BranchForked(child=TRUNK, role="trunk", policy=spec.policy, model=spec.model)
    return Change("jobs", insert=True, set=job), *_forked(record, trunk)


def _claimed(record: e.Record, _event: e.JobClaimed) -> tuple[Change, ...]:
    return (Change("jobs", set={"phase": JobStatus.RUNNING.value}, first={"started_at": record.at}),)


def _answered(_record: e.Record, event: e.AnswerCommitted) -> tuple[Change, ...]:
    answer = {"text": event.text, "sources": list(event.sources), "forced": event.forced}
    if (
        event.truncated
    ):  # left out otherwise, so that rows of releases that did not know it equal their rebuild
        answer["truncated"] = True
    return (Change("jobs", set={"answer": answer}),)


def _succeeded(record: e.Record, _event: e.JobSucceeded) -> tuple[Change, ...]:
    return _job_over(record, JobStatus.SUCCEEDED)


def _failed(record: e.Record, event: e.JobFailed) -> tuple[Change, ...]:
    error = {"type": event.type, "title": event.title, "detail": event.detail}
    return _job_over(record, JobStatus.FAILED, error=error)


def _cancelled(record: e.Record, _event: e.JobCancelled) -> tuple[Change, ...]:
    return _job_over(record, JobStatus.CANCELLED)


def _job_over(record: e.Record, phase: JobStatus, **more: Any) -> tuple[Change, ...]:
    return (Change("jobs", set={"phase": phase.value, "finished_at": record.at, **more}),)


# -- branches ----------------------------------------------------------------------------------------------------------


def _forked(record: e.Record, event: e.BranchForked) -> tuple[Change, ...]:
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
        **_NO_USAGE,
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
    """The branch has begun."""
    return Change("branches", (branch,), set={"phase": BranchStatus.OPEN.value}, **more)


def _segment_started(record: e.Record, event: e.SegmentStarted) -> tuple[Change, ...]:
    row = {
        "continues": event.continues,
        "finish": None,
        **_NO_USAGE,
        "replica": None,
        "engine": None,
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


def _segment_finished(record: e.Record, event: e.SegmentFinished) -> tuple[Change, ...]:
    decoded = event.decoded
    replica = decoded.replica or None
    spent = {
        "prompt_tokens": decoded.usage.prompt_tokens,
        "cached_tokens": decoded.usage.cached_tokens,
        "completion_tokens": decoded.usage.completion_tokens,
        "cost": decoded.in_fields().cost,
    }
    stages = _stages(decoded.timing)
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


def _stages(timing: Timing) -> dict[str, datetime | None]:
    told = (timing.submitted, timing.admitted, timing.scheduled, timing.first_token, timing.finished)
    return {
        stage: datetime.fromtimestamp(seconds, UTC) if 0 < seconds <= _LAST_SECOND else None
        for stage, seconds in zip(_STAGES, told, strict=True)
    }


def _branch_returned(record: e.Record, event: e.BranchReturned) -> tuple[Change, ...]:
    return _branch_over(record, event, BranchStatus.RETURNED, value=event.value)


def _branch_failed(record: e.Record, event: e.BranchFailed) -> tuple[Change, ...]:
    return _branch_over(
        record, event, BranchStatus.FAILED, cause=f"{event.cause}: {event.detail}".removesuffix(": ")
    )


def _branch_cancelled(record: e.Record, event: e.BranchCancelled) -> tuple[Change, ...]:
    return _branch_over(record, event, BranchStatus.CANCELLED, cause=event.reason)


def _branch_over(
    record: e.Record,
    event: e.BranchReturned | e.BranchFailed | e.BranchCancelled,
    phase: BranchStatus,
    **more: Any,
) -> tuple[Change, ...]:
    row = {"phase": phase.value, "finished_at": record.at, **more}
    over = Change("branches", (event.branch,), set=row)
    return over, *_wait_for_people(event.branch, -len(event.withdrawn))


def _branch_retried(_record: e.Record, event: e.BranchRetried) -> tuple[Change, ...]:
    return (Change("branches", (event.branch,), set={"attempts": event.attempt}),)


# -- joins and approvals -----------------------------------------------------------------------------------------------


def _join_requested(record: e.Record, event: e.JoinRequested) -> tuple[Change, ...]:
    row = {
        "mode": event.mode,
        "count": event.count,
        "targets": list(event.targets),
        "joined": None,
        "pending": None,
        "failed": None,
        "requested_at": record.at,
        "joined_at": None,
    }
    return (Change("joins", (event.branch, event.join), insert=True, set=row),)


def _joined(record: e.Record, event: e.BranchesJoined) -> tuple[Change, ...]:
    row = {
        "joined": list(event.joined),
        "pending": list(event.pending),
        "failed": list(event.failed),
        "joined_at": record.at,
    }
    join = Change("joins", (event.branch, event.join), set=row)
    return join, *(_consumed(joined, event.branch) for joined in event.joined)


def _merged(_record: e.Record, event: e.BranchesMerged) -> tuple[Change, ...]:
    return tuple(_consumed(merged, event.into) for merged in event.merged)


def _consumed(branch: BranchId, consumer: BranchId) -> Change:
    return Change("branches", (branch,), first={"consumed_by": consumer})


def _approval_requested(record: e.Record, event: e.ApprovalRequested) -> tuple[Change, ...]:
    row = {
        "id": approval_id(record.job, event.approval, record.at),
        "branch": event.branch,
        "gate": event.gate,
        "subject": event.subject,
        "timeout_seconds": event.timeout,
        "at_timeout": event.default,
        "requested_at": record.at,
        "decision": None,
        "edit": None,
        "decided_by": None,
        "reason": None,
        "decided_at": None,
        "recorded": False,
    }
    approval = Change("approvals", (event.approval,), insert=True, set=row)
    return approval, *_wait_for_people(event.branch, 1)


def _approval_decided(record: e.Record, event: e.ApprovalDecided) -> tuple[Change, ...]:
    row = {
        "decision": event.decision,
        "edit": event.edit,
        "decided_by": event.by,
        "reason": event.reason,
        "decided_at": record.at,
        "recorded": True,
    }
    approval = Change("approvals", (event.approval,), set=row)
    return approval, *_wait_for_people(event.branch, -1)


def _wait_for_people(branch: BranchId, more: int) -> tuple[Change, ...]:
    """The job and its branch wait for so many decisions more."""
    if more == 0:
        return ()
    pending = {"approvals_pending": more}
    return Change("branches", (branch,), add=pending), Change("jobs", add=pending)


# The events that are missing here only tell; the journal has them.
_PROJECTORS: Mapping[type, Callable[[e.Record, Any], tuple[Change, ...]]] = {
    e.JobSubmitted: _submitted,
    e.JobClaimed: _claimed,
    e.AnswerCommitted: _answered,
    e.JobSucceeded: _succeeded,
    e.JobFailed: _failed,
    e.JobCancelled: _cancelled,
    e.BranchForked: _forked,
    e.SegmentStarted: _segment_started,
    e.SegmentFinished: _segment_finished,
    e.BranchReturned: _branch_returned,
    e.BranchFailed: _branch_failed,
    e.BranchCancelled: _branch_cancelled,
    e.BranchRetried: _branch_retried,
    e.JoinRequested: _join_requested,
    e.BranchesJoined: _joined,
    e.BranchesMerged: _merged,
    e.ApprovalRequested: _approval_requested,
    e.ApprovalDecided: _approval_decided,
}
