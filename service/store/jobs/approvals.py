"""Lists gates page by page: those that wait, oldest first, and those that are decided, newest first."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, select, tuple_

from anabranch.dag.status import JobStatus
from anabranch.service.store.jobs.requests import of_tenant, who_asks
from anabranch.service.store.listings.cursors import cursor_at, place_of
from anabranch.service.store.rows import ApprovalRow, approval_row
from anabranch.service.store.sql.tables import approvals, branches, jobs


@dataclass(frozen=True, slots=True)
class ApprovalPage:
    """Gates, each with its job's question."""

    items: tuple[tuple[ApprovalRow, str], ...]
    next_cursor: str | None


def list_approval_page(
    connection: Connection,
    status: Literal["pending", "decided"],
    tenant: str | None,
    limit: int,
    cursor: str | None,
) -> ApprovalPage:
    """Those behind the cursor, of this tenant or of all. Raises BadCursor."""
    asked = _pending(cursor) if status == "pending" else _decided(cursor)
    rows = connection.execute(asked.where(of_tenant(tenant)).limit(limit + 1)).mappings().all()
    items = tuple((approval_row(row), row["question"]) for row in rows[:limit])
    if len(rows) <= limit:
        return ApprovalPage(items, None)
    last, _ = items[-1]
    return ApprovalPage(items, cursor_at(last.requested_at, last.id))


def is_pending() -> ColumnElement[bool]:
    """Nobody has decided, and neither the job nor the branch that asks has ended."""
    waits = jobs.c.status == JobStatus.WAITING
    return and_(approvals.c.decision.is_(None), waits, branches.c.finished_at.is_(None))


def _pending(cursor: str | None) -> Select[Any]:
    """They are few, and have an index by time of their own."""
    place = (approvals.c.requested_at, approvals.c.id)
    asked = _with_question().join(branches, who_asks()).where(is_pending()).order_by(*place)
    return asked if cursor is None else asked.where(tuple_(*place) > tuple_(*place_of(cursor)))


def _decided(cursor: str | None) -> Select[Any]:
    """An id begins with the time at which it was asked for, so the primary key is in their order."""
    asked = _with_question().where(approvals.c.decision.is_not(None)).order_by(approvals.c.id.desc())
    return asked if cursor is None else asked.where(approvals.c.id < place_of(cursor)[1])


def _with_question() -> Select[Any]:
    return select(approvals, jobs.c.question).select_from(approvals).join(jobs)
