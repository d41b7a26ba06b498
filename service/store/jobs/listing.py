"""Lists jobs in pages, newest first, at a cost that does not grow with the store.

A page is read along an index that serves one of its filters, or a tenant and a status. What other filters leave out is
passed over, but no more than LOOK jobs: then the page ends early, and its cursor goes on from there. While it would be
empty, it goes on itself, LOOKS times in all. A sought text is looked for among the newest LOOK jobs first, for common
words are found there, then by the index of `search.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

from sqlalchemy import ColumnElement, Connection, Subquery, select, true, tuple_

from anabranch.service.store.jobs.cursors import cursor_at, place_of
from anabranch.service.store.jobs.facets import Fact, asked_for, asked_with, failed_as, says
from anabranch.service.store.jobs.requests import of_tenant
from anabranch.service.store.jobs.search import contains, find_candidates
from anabranch.service.store.rows import Columns, Page, listed_job_row
from anabranch.service.store.sql.tables import jobs

LOOK = 2000
"""Jobs that one page looks at, at most, where no index serves all its filters."""
LOOK_INSIDE = 200
"""The same, where it looks into each job's branches."""
LOOKS = 10
"""So many jobs are looked at how often, for a page that is empty otherwise."""

NEWEST = (jobs.c.created_at.desc(), jobs.c.id.desc())
_PLACE = (jobs.c.created_at, jobs.c.id)


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
    facts: tuple[Fact, ...] = ()
    """Metadata, parameters and limits."""

    @property
    def look(self) -> int:
        """Jobs that one page looks at: fewer where the branches of each are read."""
        return min(LOOK, LOOK_INSIDE) if self.said else LOOK


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
    behind = true() if cursor is None else tuple_(*_PLACE) < tuple_(*place_of(cursor))
    along, passing = _split(connection, filters)
    if not passing:
        return _page(_read(connection, [*along, behind], limit), limit)
    window = select(*_PLACE).where(*along, behind).order_by(*NEWEST)
    some = window.limit(filters.look).subquery()
    rows = _read(connection, passing, limit, among=some)
    if len(rows) > limit:
        return _page(rows, limit)
    last = connection.execute(window.offset(filters.look - 1).limit(1)).one_or_none()
    if last is None:
        return _page(rows, limit)
    if filters.q and not filters.said:
        candidates = find_candidates(connection, filters.q, LOOK + 1)
        if candidates is not None and len(candidates) <= LOOK:
            every = [jobs.c.id.in_(candidates), *along, *passing, behind]
            return _page(_read(connection, every, limit), limit)
    return _page(rows, limit, goes_on=cursor_at(last[0], last[1]))


def _split(
    connection: Connection, filters: Filters
) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """The conditions that an index serves, and those that are checked job by job."""
    along = [of_tenant(filters.tenant)]
    passing: list[ColumnElement[bool]] = []
    if filters.status is not None:
        along.append(jobs.c.status == filters.status)
    if filters.policy is not None:
        served = filters.tenant is None and filters.status is None
        (along if served else passing).append(jobs.c.policy == filters.policy)
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
        yield failed_as(connection, filters.error)
    for fact in filters.facts:
        yield asked_with(connection, fact)


def _read(
    connection: Connection,
    wanted: Sequence[ColumnElement[bool]],
    limit: int,
    among: Subquery | None = None,
) -> Sequence[Columns]:
    """One job more than the page holds."""
    found = select(jobs) if among is None else select(jobs).join(among, among.c.id == jobs.c.id)
    found = found.where(*wanted).order_by(*NEWEST).limit(limit + 1)
    return connection.execute(found).mappings().all()


def _page(rows: Sequence[Columns], limit: int, goes_on: str | None = None) -> Page:
    items = tuple(listed_job_row(row) for row in rows[:limit])
    if len(rows) > limit:
        return Page(items=items, next_cursor=cursor_at(items[-1].created_at, items[-1].id))
    return Page(items=items, next_cursor=goes_on)
