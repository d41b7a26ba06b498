"""Stores what people tell a job: cancel, decide. It waits here until the job's organizer has journaled it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Connection, func, select, true, update

from anabranch.dag.ids import JobId
from anabranch.service.store.errors import AlreadyDecided, JobEnded, NotFound
from anabranch.service.store.rows import ApprovalRow, JobRow, approval_row, job_row
from anabranch.service.store.sql.tables import approvals, jobs

Decision = Literal["approve", "edit", "reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided at a gate."""

    decision: Decision
    edit: str | None = None
    by: str = ""
    reason: str = ""
    at: datetime


def request_cancel(connection: Connection, job: JobId, reason: str, tenant: str | None) -> JobRow:
    """Asks the job's organizer to cancel it. Raises NotFound."""
    asked = (
        update(jobs)
        .where(jobs.c.id == job, of_tenant(tenant), jobs.c.finished_at.is_(None))
        .values(cancel_requested=func.coalesce(jobs.c.cancel_requested, reason), wake=true())
    )
    connection.execute(asked)
    found = connection.execute(select(jobs).where(jobs.c.id == job, of_tenant(tenant)))
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFound("job", job)
    return job_row(row)


def decide_approval(
    connection: Connection, approval: str, verdict: Verdict, tenant: str | None
) -> ApprovalRow:
    """Records the first decision and wakes the job. Raises AlreadyDecided, JobEnded and NotFound."""
    _wake(connection, approval, tenant)
    decided = (
        update(approvals)
        .where(approvals.c.id == approval, approvals.c.decision.is_(None))
        .values(
            decision=verdict.decision,
            edit=verdict.edit,
            decided_by=verdict.by,
            reason=verdict.reason,
            decided_at=verdict.at,
        )
        .returning(*approvals.c)
    )
    row = connection.execute(decided).mappings().one_or_none()
    if row is None:
        earlier = select(approvals.c.decision).where(approvals.c.id == approval)
        raise AlreadyDecided(approval, connection.execute(earlier).scalar_one())
    return approval_row(row)


def of_tenant(tenant: str | None) -> ColumnElement[bool]:
    """Only this tenant's jobs; None is the operator, who sees all."""
    return true() if tenant is None else jobs.c.tenant == tenant


def _wake(connection: Connection, approval: str, tenant: str | None) -> None:
    """Locks the job's row before the approval's, as the journal does: in another order the two could wait for ever."""
    its_job = select(approvals.c.job_id).where(approvals.c.id == approval).scalar_subquery()
    woken = (
        update(jobs)
        .where(jobs.c.id == its_job, of_tenant(tenant))
        .values(wake=true())
        .returning(jobs.c.id, jobs.c.finished_at)
    )
    row = connection.execute(woken).one_or_none()
    if row is None:
        raise NotFound("approval", approval)
    if row.finished_at is not None:
        raise JobEnded(row.id)
