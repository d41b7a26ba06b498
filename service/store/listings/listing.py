"""Lists jobs in pages, newest first or by a number (`sorting.py`), at a cost that does not grow with the store.

A page is read along an index that serves one of its filters, or a tenant and a status. What other filters leave out is
passed over, but no more than LOOK jobs: then the page ends early, and its cursor goes on from there. While it would be
empty, it goes on itself, LOOKS times in all. A sought text is looked for among the newest LOOK jobs first, for common
words are found there, then by the index of `search.py`.

A sorted page is read along the index of its number, which serves no filter: all are checked job by job.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    UnaryExpression,
    and_,
    select,
    true,
    tuple_,
)

from anabranch.service.store.jobs.requests import of_tenant
from anabranch.service.store.listings.cursors import cursor_at, place_of
from anabranch.service.store.listings.facets import Fact, asked_for, asked_with, failed_as, says
from anabranch.service.store.listings.search import contains, find_candidates
from anabranch.service.store.listings.sorting import Sort, sorted_cursor, sorted_place, value_of
from anabranch.service.store.rows import Columns, Page, listed_job_row
from anabranch.service.store.sql.tables import jobs

LOOK = 2000
"""Jobs that one page looks at, at most, where no index serves all its filters."""
LOOK_INSIDE = 200
"""The same, where it looks into each job's branches."""
LOOKS = 10
"""So many jobs are looked at how often, for a page that is empty otherwise."""

VALUE = "sorted_by"


class Wanted(TypedDict, total=False):
    """The same as keywords; see Filters."""

    tenant: str | None
    status: str | None
    policy: str | None
    q: str | None
    said: str | None
    model: str | None
    seed: int | None
    error: str | None
    error_title: str | None
    since: datetime | None
    sort: Sort | None
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the jobs of a listing have in common; None and an empty `q` filter nothing."""

    tenant: str | None = None
    status: str | None = None
    policy: str | None = None
    q: str | None = None
    """A part of the question."""
    said: str | None = None
    """A part of the question, the answer, the error, or what a branch gave."""
    model: str | None = None
    seed: int | None = None
    error: str | None = None
    """The error's type."""
    error_title: str | None = None
    """All of its title."""
    since: datetime | None = None
    """Made then, or later."""
    sort: Sort | None = None
    """By what jobs that have ended are sorted; None is all, newest first."""
    facts: tuple[Fact, ...] = ()
    """Metadata, parameters and limits."""

    @property
    def look(self) -> int:
        """Jobs that one page looks at: fewer where the branches of each are read."""
        return min(LOOK, LOOK_INSIDE) if self.said else LOOK


@dataclass(frozen=True, slots=True)
class Order:
    """In which order a listing is read: by a number of ended jobs, or, by None, newest first."""

    connection: Connection
    sort: Sort | None

    @property
    def place(self) -> tuple[ColumnElement[Any], ColumnElement[str]]:
        first = jobs.c.created_at if self.sort is None else value_of(self.connection, self.sort)
        return first, jobs.c.id

    @property
    def by(self) -> list[UnaryExpression[Any]]:
        return [column.desc() for column in self.place]

    def behind(self, cursor: str | None) -> ColumnElement[bool]:
        """Raises BadCursor."""
        if cursor is None:
            return true()
        if self.sort is None:
            return tuple_(*self.place) < tuple_(*place_of(cursor))
        value, job = sorted_place(cursor)
        # SQLite enters an index of an expression by a plain comparison only.
        return and_(self.place[0] <= value, tuple_(*self.place) < tuple_(value, job))

    def cursor_at(self, row: Columns) -> str:
        """The cursor of the page that follows this row."""
        if self.sort is None:
            return cursor_at(row["created_at"], row["id"])
        return sorted_cursor(float(row[VALUE]), row["id"])

    def window(self) -> Select[Any]:
        """The places of jobs, to be read in this order."""
        if self.sort is None:
            return select(*self.place).order_by(*self.by)
        return select(self.place[0].label(VALUE), jobs.c.id).order_by(*self.by)

    def rows(self) -> Select[Any]:
        """All of the jobs, to be read in this order."""
        found = select(jobs) if self.sort is None else select(jobs, self.place[0].label(VALUE))
        return found.order_by(*self.by)


def list_page(connection: Connection, filters: Filters, limit: int, cursor: str | None) -> Page:
    """The page behind the cursor. Raises BadCursor."""
    page = _look(connection, filters, limit, cursor)
    for _ in range(LOOKS - 1):
        if page.items or page.next_cursor is None:
            break
        page = _look(connection, filters, limit, page.next_cursor)
    return page


def _look(connection: Connection, filters: Filters, limit: int, cursor: str | None) -> Page:
    """What is found among the next LOOK jobs."""
    order = Order(connection, filters.sort)
    behind = order.behind(cursor)
    along, passing = split(connection, filters)
    if not passing:
        return _page(order, _read(order, [*along, behind], limit), limit)
    window = order.window().where(*along, behind)
    some = window.limit(filters.look).subquery()
    rows = _read(order, passing, limit, among=some)
    if len(rows) > limit:
        return _page(order, rows, limit)
    last = connection.execute(window.offset(filters.look - 1).limit(1)).mappings().one_or_none()
    if last is None:
        return _page(order, rows, limit)
    if filters.q and not filters.said:
        candidates = find_candidates(connection, filters.q, LOOK + 1)
        if candidates is not None and len(candidates) <= LOOK:
            every = [jobs.c.id.in_(candidates), *along, *passing, behind]
            return _page(order, _read(order, every, limit), limit)
    return _page(order, rows, limit, goes_on=order.cursor_at(last))


def split(
    connection: Connection, filters: Filters
) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """The conditions that an index serves, and those that are checked job by job."""
    along: list[ColumnElement[bool]] = []
    passing: list[ColumnElement[bool]] = []
    served = along
    if filters.sort is not None:
        along.append(jobs.c.finished_at.is_not(None))
        served = passing
    if filters.tenant is not None or filters.sort is None:
        served.append(of_tenant(filters.tenant))
    if filters.status is not None:
        served.append(jobs.c.status == filters.status)
    if filters.since is not None:
        served.append(jobs.c.created_at >= filters.since)
    if filters.policy is not None:
        by_policy = filters.tenant is None and filters.status is None
        (served if by_policy else passing).append(jobs.c.policy == filters.policy)
    if filters.q:
        passing.append(contains(connection, filters.q))
    return along, [*passing, *_facets(connection, filters)]


def _facets(connection: Connection, filters: Filters) -> Iterator[ColumnElement[bool]]:
    if filters.said:
        yield says(connection, filters.said)
    if filters.model is not None:
        yield asked_for(connection, "model", filters.model)
    if filters.seed is not None:
        yield asked_for(connection, "seed", str(filters.seed))
    if filters.error is not None:
        yield failed_as(connection, "type", filters.error)
    if filters.error_title is not None:
        yield failed_as(connection, "title", filters.error_title)
    for fact in filters.facts:
        yield asked_with(connection, fact)


def _read(
    order: Order,
    wanted: Sequence[ColumnElement[bool]],
    limit: int,
    among: Subquery | None = None,
) -> Sequence[Columns]:
    """One job more than the page holds."""
    found = order.rows() if among is None else order.rows().join(among, among.c.id == jobs.c.id)
    return order.connection.execute(found.where(*wanted).limit(limit + 1)).mappings().all()


def _page(order: Order, rows: Sequence[Columns], limit: int, goes_on: str | None = None) -> Page:
    items = tuple(listed_job_row(row) for row in rows[:limit])
    if len(rows) > limit:
        return Page(items=items, next_cursor=order.cursor_at(rows[limit - 1]))
    return Page(items=items, next_cursor=goes_on)
