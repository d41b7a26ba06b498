"""What people tell a job: cancel, decide. It waits here until the job's organizer has journaled it."""

from typing import Literal

from sqlalchemy import ColumnElement, Connection, func, select, true, update

from anabranch.dag.ids import JobId
from anabranch.service.store.errors import AlreadyDecided, JobEnded, NotFound
from anabranch.service.store.rows import ApprovalRow, JobRow, approval_row, job_row
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import approvals, jobs

Decision = Literal["approve", "edit", "reject"]


class Requests(Repository):
    async def request_cancel(self, job: JobId, reason: str, tenant: str | None = None) -> JobRow:
        """Asks whoever works on the job to cancel it; the first reason stands, and a job that has ended stays as it is.

        Raises NotFound and StoreAway.
        """
        asked = (
            update(jobs)
            .where(jobs.c.id == job, of_tenant(tenant), jobs.c.finished_at.is_(None))
            .values(cancel_requested=func.coalesce(jobs.c.cancel_requested, reason), wake=true())
        )

        def work(connection: Connection) -> JobRow:
            connection.execute(asked)
            found = connection.execute(select(jobs).where(jobs.c.id == job, of_tenant(tenant)))
            row = found.mappings().one_or_none()
            if row is None:
                raise NotFound("job", job)
            return job_row(row)

        return await self._database.write(work)

    async def decide_approval(
        self,
        approval: str,
        decision: Decision,
        *,
        edit: str | None = None,
        by: str = "",
        reason: str = "",
        tenant: str | None = None,
    ) -> ApprovalRow:
        """Records a decision and wakes the job. A timeout decides here, too, so that there is one first decision.

        Raises AlreadyDecided, JobEnded, NotFound and StoreAway.
        """
        decided = (
            update(approvals)
            .where(approvals.c.id == approval, approvals.c.decision.is_(None))
            .values(decision=decision, edit=edit, decided_by=by, reason=reason, decided_at=self._now())
            .returning(*approvals.c)
        )

        def work(connection: Connection) -> ApprovalRow:
            _wake(connection, approval, tenant)
            row = connection.execute(decided).mappings().one_or_none()
            if row is None:
                earlier = select(approvals.c.decision).where(approvals.c.id == approval)
                raise AlreadyDecided(approval, connection.execute(earlier).scalar_one())
            return approval_row(row)

        return await self._database.write(work)


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
