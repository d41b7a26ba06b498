"""Counts failed jobs by their error, among the newest of a listing: those that one page of it may look at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, func, select

from anabranch.dag.ids import JobId
from anabranch.dag.status import JobStatus
from anabranch.service.store.listings.facets import told_of_error
from anabranch.service.store.listings.listing import LOOKS, Filters, Order, split
from anabranch.service.store.sql.tables import jobs

MOST_GROUPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Jobs that failed alike."""

    type: str
    title: str
    count: int
    newest: JobId
    newest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroups:
    items: Sequence[ErrorGroup]
    """The most frequent first, at most MOST_GROUPS."""
    complete: bool
    """False where there are older failed jobs that were not looked at, or more groups."""


def group_errors(connection: Connection, filters: Filters) -> ErrorGroups:
    """Groups the failed jobs that these filters leave."""
    if filters.status not in {None, JobStatus.FAILED}:
        return ErrorGroups(items=(), complete=True)
    order = Order(connection, None)
    along, passing = split(connection, replace(filters, status=JobStatus.FAILED, sort=None))
    most = filters.look * LOOKS
    window = order.window().where(*along).limit(most + 1).subquery()
    looked_at = connection.execute(select(func.count()).select_from(window)).scalar_one()
    kind, title = told_of_error(connection, "type"), told_of_error(connection, "title")
    some = order.window().where(*along).limit(most).subquery()
    # Ids are of version 7: the greatest is the newest.
    wanted = (
        select(
            kind.label("type"),
            title.label("title"),
            func.count().label("count"),
            func.max(jobs.c.id).label("newest"),
            func.max(jobs.c.created_at).label("newest_at"),
        )
        .join(some, some.c.id == jobs.c.id)
        .where(*passing)
        .group_by(kind, title)
        .order_by(func.count().desc(), func.max(jobs.c.id).desc())
        .limit(MOST_GROUPS + 1)
    )
    groups = [ErrorGroup(**row) for row in connection.execute(wanted).mappings()]
    return ErrorGroups(items=groups[:MOST_GROUPS], complete=looked_at <= most and len(groups) <= MOST_GROUPS)
