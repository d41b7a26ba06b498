"""Folds a journal into changes of tables: each event changes a few rows.

**Projections.** The journal is the truth. The tables `branches`, `segments`, `joins`, and columns of `jobs` and
`approvals`, hold what can be folded from it, for SQL and for quick pages. They are changed in the transaction that
writes the events, so they never say more or less than the journal does. A change is made from its record alone,
without a look at the row: it sets a column, adds to it, or gives it a first value (`changes.py`). So it makes no
difference in which batches a journal was written, and an audit (`maintenance/audits.py`) can fold all of it at once and
compare. What cannot be told from one record is computed by the database from columns that can: see `status` in
`sql/tables.py`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.status import JobStatus
from anabranch.service.store.codec import spec_to_json
from anabranch.service.store.identity import approval_id
from anabranch.service.store.projections import branches
from anabranch.service.store.projections.changes import Change, merge_changes


def fold(records: Iterable[e.Record]) -> list[Change]:
    """Folds the records of one job into changes, one per row."""
    return merge_changes(change for record in records for change in project(record))


def project(record: e.Record) -> tuple[Change, ...]:
    """Makes the changes of one record."""
    projector = _PROJECTORS.get(type(record.event))
    return projector(record, record.event) if projector else ()


# -- the job -----------------------------------------------------------------------------------------------------------


def _submit(record: e.Record, event: e.JobSubmitted) -> tuple[Change, ...]:
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
        **branches.NO_USAGE,
        "started_at": None,
        "finished_at": None,
    }
    trunk = e.BranchForked(child=TRUNK, role="trunk", policy=spec.policy, model=spec.model)
    return Change("jobs", insert=True, set=job), *branches.fork(record, trunk)


def _claim(record: e.Record, _event: e.JobClaimed) -> tuple[Change, ...]:
    return (Change("jobs", set={"phase": JobStatus.RUNNING.value}, first={"started_at": record.at}),)


def _answer(_record: e.Record, event: e.AnswerCommitted) -> tuple[Change, ...]:
    answer = {"text": event.text, "sources": list(event.sources), "forced": event.forced}
    if (
        event.truncated
    ):  # left out otherwise, so that rows of releases that did not know it equal their rebuild
        answer["truncated"] = True
    if event.calls:
        answer["calls"] = [
            {"name": call.name, "arguments": call.arguments, "id": call.id} for call in event.calls
        ]
    if event.citations:
        answer["citations"] = [asdict(citation) for citation in event.citations]
    return (Change("jobs", set={"answer": answer}),)


def _succeed(record: e.Record, _event: e.JobSucceeded) -> tuple[Change, ...]:
    return _end_job(record, JobStatus.SUCCEEDED)


def _fail(record: e.Record, event: e.JobFailed) -> tuple[Change, ...]:
    error = {"type": event.type, "title": event.title, "detail": event.detail}
    return _end_job(record, JobStatus.FAILED, error=error)


def _cancel(record: e.Record, _event: e.JobCancelled) -> tuple[Change, ...]:
    return _end_job(record, JobStatus.CANCELLED)


def _end_job(record: e.Record, phase: JobStatus, **more: Any) -> tuple[Change, ...]:
    return (Change("jobs", set={"phase": phase.value, "finished_at": record.at, **more}),)


# -- joins and approvals -----------------------------------------------------------------------------------------------


def _request_join(record: e.Record, event: e.JoinRequested) -> tuple[Change, ...]:
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


def _join(record: e.Record, event: e.BranchesJoined) -> tuple[Change, ...]:
    row = {
        "joined": list(event.joined),
        "pending": list(event.pending),
        "failed": list(event.failed),
        "joined_at": record.at,
    }
    join = Change("joins", (event.branch, event.join), set=row)
    return join, *(_consume(joined, event.branch) for joined in event.joined)


def _merge(_record: e.Record, event: e.BranchesMerged) -> tuple[Change, ...]:
    return tuple(_consume(merged, event.into) for merged in event.merged)


def _consume(branch: BranchId, consumer: BranchId) -> Change:
    return Change("branches", (branch,), first={"consumed_by": consumer})


def _request_approval(record: e.Record, event: e.ApprovalRequested) -> tuple[Change, ...]:
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
    return approval, *branches.wait_for_people(event.branch, 1)


def _decide_approval(record: e.Record, event: e.ApprovalDecided) -> tuple[Change, ...]:
    row = {
        "decision": event.decision,
        "edit": event.edit,
        "decided_by": event.by,
        "reason": event.reason,
        "decided_at": record.at,
        "recorded": True,
    }
    approval = Change("approvals", (event.approval,), set=row)
    return approval, *branches.wait_for_people(event.branch, -1)


# The events that are missing here only tell; the journal has them.
_PROJECTORS: Mapping[type, Callable[[e.Record, Any], tuple[Change, ...]]] = {
    e.JobSubmitted: _submit,
    e.JobClaimed: _claim,
    e.AnswerCommitted: _answer,
    e.JobSucceeded: _succeed,
    e.JobFailed: _fail,
    e.JobCancelled: _cancel,
    e.BranchForked: branches.fork,
    e.SegmentStarted: branches.start_segment,
    e.SegmentFinished: branches.finish_segment,
    e.HedgeLost: branches.lose_hedge,
    e.BranchReturned: branches.return_value,
    e.BranchFailed: branches.fail,
    e.BranchCancelled: branches.cancel,
    e.BranchRetried: branches.retry,
    e.JoinRequested: _request_join,
    e.BranchesJoined: _join,
    e.BranchesMerged: _merge,
    e.ApprovalRequested: _request_approval,
    e.ApprovalDecided: _decide_approval,
}
