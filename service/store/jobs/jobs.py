"""Stores jobs, and what people ask of them: submit, look, cancel, decide. All methods raise StoreAway."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, Unpack

from sqlalchemy import Connection, RowMapping, Select, and_, bindparam, false, func, select, true, update
from sqlalchemy.exc import IntegrityError

from anabranch.dag.ids import BranchId, JobId, by_path
from anabranch.dag.status import TERMINAL, JobStatus
from anabranch.service.store.errors import NotFound
from anabranch.service.store.jobs.approvals import ApprovalPage, is_pending, list_approval_page
from anabranch.service.store.jobs.requests import (
    Decision,
    Verdict,
    decide_approval,
    of_tenant,
    request_cancel,
    who_asks,
)
from anabranch.service.store.jobs.submissions import Taker, submit_all
from anabranch.service.store.listings.error_groups import ErrorGroups, group_errors
from anabranch.service.store.listings.listing import Filters, Wanted, list_page
from anabranch.service.store.rows import (
    ApprovalRow,
    BranchRow,
    JobRow,
    NewJob,
    Page,
    Submitted,
    approval_row,
    branch_row,
    job_row,
)
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import approvals, branches, jobs, segments

_ONE = select(jobs).where(jobs.c.id == bindparam("job"))
_SOURCES = select(branches).where(
    branches.c.job_id == bindparam("job"), branches.c.branch.in_(bindparam("sources", expanding=True))
)

LIVE = tuple(status for status in JobStatus if status not in TERMINAL)


class Jobs(Repository):
    """The jobs of one database, with their branches and approvals."""

    async def submit(self, new: NewJob) -> Submitted:
        """Makes the job durable, or finds the one that the same key and body made.

        Raises IdempotencyConflict if the key was used with another body, and QuotaSpent.
        """
        (submitted,) = await self.submit_all([new])
        return submitted

    async def submit_all(self, news: Sequence[NewJob], taker: Taker | None = None) -> list[Submitted]:
        """The same for several jobs: all of them are made, or none; those that are made are claimed for the `taker`,
        where there is one."""
        work = partial(submit_all, news=news, now=self._now, taker=taker)
        try:
            return await self._database.write(work)
        except IntegrityError:
            if all(new.idempotency_key is None for new in news):
                raise
            # The same key came in twice at once: the other one's job is there now.
            return await self._database.write(work)

    async def has_key(self, tenant: str, key: str) -> bool:
        """Whether a job was made with this idempotency key. Raises StoreAway."""
        made = select(jobs.c.id).where(jobs.c.tenant == tenant, jobs.c.idempotency_key == key)
        return bool(await self._all(made))

    async def request_cancel(self, job: JobId, reason: str, tenant: str | None = None) -> JobRow:
        """Asks whoever works on the job to cancel it; the first reason stands, and a job that has ended stays as it is.

        Raises NotFound.
        """
        return await self._database.write(partial(request_cancel, job=job, reason=reason, tenant=tenant))

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

        Raises AlreadyDecided, ApprovalWithdrawn, JobEnded and NotFound.
        """
        verdict = Verdict(decision=decision, edit=edit, by=by, reason=reason, at=self._now())
        return await self._database.write(
            partial(decide_approval, approval=approval, verdict=verdict, tenant=tenant)
        )

    async def get(self, job: JobId, tenant: str | None = None) -> JobRow:
        """One job. Raises NotFound, also for another tenant's."""
        row = await self._one(select(jobs).where(jobs.c.id == job, of_tenant(tenant)))
        if row is None:
            raise NotFound("job", job)
        return job_row(row)

    async def get_answered(self, job: JobId) -> tuple[JobRow, list[BranchRow]]:
        """One job with the branches that its answer was made from, in one look. Raises NotFound."""

        def work(connection: Connection) -> tuple[JobRow, list[BranchRow]]:
            found = connection.execute(_ONE, {"job": job}).mappings().one_or_none()
            if found is None:
                raise NotFound("job", job)
            sources = (found["answer"] or {}).get("sources")
            rows = (
                connection.execute(_SOURCES, {"job": job, "sources": sources}).mappings() if sources else ()
            )
            return job_row(found), [branch_row(row) for row in rows]

        return await self._database.read(work)

    async def list_page(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        **wanted: Unpack[Wanted],
    ) -> Page:
        """Jobs, newest first, or sorted by `sort`. Later submissions do not move the pages that follow.

        A page may hold fewer than `limit` and yet have a cursor: see `listing`. Raises BadCursor.
        """
        filters = Filters(**wanted)
        return await self._database.snapshot(partial(list_page, filters=filters, limit=limit, cursor=cursor))

    async def group_errors(self, **wanted: Unpack[Wanted]) -> ErrorGroups:
        """The failed jobs that the filters leave, by their error."""
        return await self._database.snapshot(partial(group_errors, filters=Filters(**wanted)))

    async def get_branch(self, job: JobId, branch: BranchId) -> BranchRow:
        """One branch. Raises NotFound."""
        row = await self._one(select(branches).where(branches.c.job_id == job, branches.c.branch == branch))
        if row is None:
            raise NotFound("branch", f"{branch} of job {job}")
        return branch_row(row)

    async def list_branches(self, job: JobId) -> list[BranchRow]:
        """All branches of a job, in the order of their paths."""
        rows = await self._all(select(branches).where(branches.c.job_id == job))
        return sorted((branch_row(row) for row in rows), key=lambda row: by_path(row.branch))

    async def count_branches(self, job: JobId) -> int:
        """Branches of a job, the trunk included."""
        counted = select(func.count()).select_from(branches).where(branches.c.job_id == job)
        return await self._database.read(lambda connection: connection.execute(counted).scalar_one())

    async def get_approval(self, approval: str, tenant: str | None = None) -> ApprovalRow:
        """One gate, decided or not. Raises NotFound, also for another tenant's."""
        row = await self._one(
            select(approvals)
            .select_from(approvals)
            .join(jobs)
            .where(approvals.c.id == approval, of_tenant(tenant))
        )
        if row is None:
            raise NotFound("approval", approval)
        return approval_row(row)

    async def list_open_models(self, jobs: Sequence[JobId]) -> dict[JobId, set[str | None]]:
        """Of which models the open segments of these jobs were asked; jobs without any are left out."""
        asked = (
            select(segments.c.job_id, segments.c.model)
            .where(segments.c.job_id.in_(jobs), segments.c.finished_at.is_(None))
            .distinct()
        )
        found: dict[JobId, set[str | None]] = {}
        for row in await self._all(asked):
            found.setdefault(JobId(row["job_id"]), set()).add(row["model"])
        return found

    async def list_approvals(
        self,
        status: Literal["pending", "decided"] | None = None,
        *,
        job: JobId | None = None,
    ) -> list[ApprovalRow]:
        """All of these gates, oldest first, for who works on jobs; readers get pages (`list_approval_page`)."""
        kinds = {None: true(), "pending": is_pending(), "decided": approvals.c.decision.is_not(None)}
        wanted = (
            select(approvals)
            .select_from(approvals)
            .join(jobs)
            .join(branches, who_asks())
            .where(kinds[status], true() if job is None else approvals.c.job_id == job)
            .order_by(approvals.c.requested_at, approvals.c.id)
        )
        return [approval_row(row) for row in await self._all(wanted)]

    async def list_approval_page(
        self,
        status: Literal["pending", "decided"],
        *,
        tenant: str | None = None,
        limit: int = 200,
        cursor: str | None = None,
    ) -> ApprovalPage:
        """Gates with the questions of their jobs: pending ones oldest first, decided ones newest first. Raises
        BadCursor."""
        work = partial(list_approval_page, status=status, tenant=tenant, limit=limit, cursor=cursor)
        return await self._database.read(work)

    async def count_live(self, tenant: str | None = None) -> dict[JobStatus, int]:
        """Counts the jobs that have not ended, by status, zeros included."""
        by_status = (
            select(jobs.c.status, func.count())
            .where(jobs.c.status.in_(LIVE), of_tenant(tenant))
            .group_by(jobs.c.status)
        )
        rows = await self._database.read(lambda connection: connection.execute(by_status).all())
        return {**dict.fromkeys(LIVE, 0), **{JobStatus(status): count for status, count in rows}}

    async def take_ended(self, since: datetime, limit: int) -> list[JobId]:
        """Takes up to `limit` of the jobs that ended at that time or later, for metrics: no two callers get the same
        job. Raises StoreAway.
        """
        untaken = and_(jobs.c.finished_at >= since, jobs.c.measured.is_(false()))
        picked = select(jobs.c.id).where(untaken).order_by(jobs.c.finished_at).limit(limit)
        if not await self._all(picked.limit(1)):
            return []  # nothing is written for the many scrapes between two jobs
        mine = picked.with_for_update(skip_locked=True, key_share=True).cte("picked")
        taken = (
            update(jobs).where(jobs.c.id.in_(select(mine.c.id))).values(measured=True).returning(jobs.c.id)
        )
        return list(await self._database.write(lambda connection: connection.execute(taken).scalars().all()))

    async def _all(self, query: Select[Any]) -> Sequence[RowMapping]:
        return await self._database.read(lambda connection: connection.execute(query).mappings().all())

    async def _one(self, query: Select[Any]) -> RowMapping | None:
        rows = await self._all(query)
        return rows[0] if rows else None
