"""Stores what people tell a job: cancel, decide. It waits here until the job's organizer has journaled it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, func, select, true, update

from anabranch.dag.ids import JobId
from anabranch.service.store.errors import AlreadyDecided, ApprovalWithdrawn, JobEnded, NotFound
from anabranch.service.store.rows import ApprovalRow, JobRow, approval_row, job_row
from anabranch.service.store.sql.tables import approvals, branches, jobs

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
    """Records the first decision and wakes the job. Raises AlreadyDecided, ApprovalWithdrawn, JobEnded and NotFound."""
    _wake(connection, approval, tenant)
    _refuse_useless(connection, approval)
    decided = (
        update(approvals)
        .where(approvals.c.id == approval)
        .values(
            decision=verdict.decision,
            edit=verdict.edit,
            decided_by=verdict.by,
            reason=verdict.reason,
            decided_at=verdict.at,
        )
        .returning(*approvals.c)
    )
    return approval_row(connection.execute(decided).mappings().one())


def of_tenant(tenant: str | None) -> ColumnElement[bool]:
    """Only this tenant's jobs; None is the operator, who sees all."""
    return true() if tenant is None else jobs.c.tenant == tenant


def who_asks() -> ColumnElement[bool]:
    """Joins an approval and the branch that asks for it."""
    return and_(branches.c.job_id == approvals.c.job_id, branches.c.branch == approvals.c.branch)


def _refuse_useless(connection: Connection, approval: str) -> None:
    """Raises AlreadyDecided and ApprovalWithdrawn. The job's row is locked, so neither can become true meanwhile."""
    asked = (
        select(approvals.c.decision, branches.c.branch, branches.c.status, branches.c.finished_at)
        .select_from(approvals)
        .join(branches, who_asks())
        .where(approvals.c.id == approval)
    )
    row = connection.execute(asked).one()
    if row.decision is not None:
        raise AlreadyDecided(approval, row.decision)
    if row.finished_at is not None:
        raise ApprovalWithdrawn(approval, row.branch, row.status)


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
