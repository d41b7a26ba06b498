"""What can be asked of the store. All methods raise StoreAway."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Integer,
    RowMapping,
    Select,
    String,
    bindparam,
    cast,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSON

from anabranch.dag.events import Record
from anabranch.dag.ids import BranchId, JobId, by_path
from anabranch.service.store.errors import NotFound
from anabranch.service.store.jobs.cursors import cursor_after, place_of
from anabranch.service.store.jobs.requests import of_tenant
from anabranch.service.store.journal.records import record_of_row
from anabranch.service.store.rows import (
    ApprovalRow,
    BranchRow,
    JobRow,
    Page,
    approval_row,
    branch_row,
    job_row,
)
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.storable import json_text
from anabranch.service.store.sql.tables import approvals, branches, events, jobs

MANY = 2000
"""Records that one look at many journals returns at most; the next look goes on."""


class Queries(Repository):
    async def job(self, job: JobId, tenant: str | None = None) -> JobRow:
        """One job. Raises NotFound, also for another tenant's."""
        row = await self._one(select(jobs).where(jobs.c.id == job, of_tenant(tenant)))
        if row is None:
            raise NotFound("job", job)
        return job_row(row)

    async def jobs(
        self,
        *,
        tenant: str | None = None,
        status: str | None = None,
        policy: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Jobs, newest first; `q` is sought in the questions. Later submissions do not move the pages that follow.

        Raises BadCursor.
        """
        wanted: list[ColumnElement[bool]] = [of_tenant(tenant)]
        if status is not None:
            wanted.append(jobs.c.status == status)
        if policy is not None:
            wanted.append(jobs.c.policy == policy)
        if q:
            wanted.append(jobs.c.question.icontains(q, autoescape=True))
        if cursor is not None:
            wanted.append(tuple_(jobs.c.created_at, jobs.c.id) < tuple_(*place_of(cursor)))
        newest = (jobs.c.created_at.desc(), jobs.c.id.desc())
        rows = await self._all(select(jobs).where(*wanted).order_by(*newest).limit(limit + 1))
        items = tuple(job_row(row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(items=items, next_cursor=cursor_after(items[-1]) if more else None)

    async def queue_depth(self) -> int:
        """Jobs that were submitted and that nobody has taken up."""
        counted = select(func.count().label("depth")).where(jobs.c.status == "queued")
        (row,) = await self._all(counted)
        return int(row["depth"])

    async def events(self, job: JobId, after_seq: int = 0, limit: int = 500) -> list[Record]:
        """A page of a journal."""
        page = (
            select(events)
            .where(events.c.job_id == job, events.c.seq > after_seq)
            .order_by(events.c.seq)
            .limit(limit)
        )
        return [record_of_row(row) for row in await self._all(page)]

    async def records(self, job: JobId) -> list[Record]:
        """A whole journal."""
        whole = select(events).where(events.c.job_id == job).order_by(events.c.seq)
        return [record_of_row(row) for row in await self._all(whole)]

    async def events_of_many(self, after: Mapping[JobId, int]) -> list[Record]:
        """What is new in these journals behind the given seq, by job and seq, at most MANY records: one query."""
        given = bindparam("after", json_text(dict(after)), type_=String())
        # Both databases unfold a JSON object into rows of `key` and `value`, and plan a lookup for each.
        unfold = func.json_each(given) if self._database.sqlite else func.json_each_text(cast(given, JSON))
        wanted = unfold.table_valued("key", "value", name="wanted")
        new = (
            select(events)
            .join(wanted, (events.c.job_id == wanted.c.key) & (events.c.seq > cast(wanted.c.value, Integer)))
            .order_by(events.c.job_id, events.c.seq)
            .limit(MANY)
        )
        return [record_of_row(row) for row in await self._all(new)]

    async def branch(self, job: JobId, branch: BranchId) -> BranchRow:
        """One branch. Raises NotFound."""
        row = await self._one(select(branches).where(branches.c.job_id == job, branches.c.branch == branch))
        if row is None:
            raise NotFound("branch", f"{branch} of job {job}")
        return branch_row(row)

    async def branches(self, job: JobId) -> list[BranchRow]:
        """All branches of a job, in the order of their paths."""
        rows = await self._all(select(branches).where(branches.c.job_id == job))
        return sorted((branch_row(row) for row in rows), key=lambda row: by_path(row.branch))

    async def approvals(
        self,
        status: Literal["pending", "decided"] | None = None,
        *,
        tenant: str | None = None,
        job: JobId | None = None,
    ) -> list[ApprovalRow]:
        """Gates, oldest first; those of jobs that have ended are not pending."""
        undecided = approvals.c.decision.is_(None)
        kinds = {
            None: true(),
            "pending": undecided & jobs.c.finished_at.is_(None),
            "decided": ~undecided,
        }
        wanted = (
            select(approvals)
            .join(jobs)
            .where(kinds[status], of_tenant(tenant), true() if job is None else approvals.c.job_id == job)
            .order_by(approvals.c.requested_at, approvals.c.id)
        )
        return [approval_row(row) for row in await self._all(wanted)]

    async def _all(self, query: Select[Any]) -> Sequence[RowMapping]:
        return await self._database.read(lambda connection: connection.execute(query).mappings().all())

    async def _one(self, query: Select[Any]) -> RowMapping | None:
        rows = await self._all(query)
        return rows[0] if rows else None
