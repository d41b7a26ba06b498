"""Stores deliveries: who sends which now, and what came of each attempt.

Whoever takes a delivery moves its `due` behind the time that an attempt may last: that is its lease. If the process
dies, the delivery is due again by itself; if it comes back late, its attempt's number tells that another has begun.
What tells of jobs and what tells of batches stand in tables of their own, and are handled alike.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    and_,
    case,
    func,
    insert,
    literal,
    select,
    true,
    union_all,
    update,
)

from anabranch.dag.ids import JobId
from anabranch.service.store.batches.tables import batches
from anabranch.service.store.sql.clock import later, now
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.sql.webhook_tables import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_notice_attempts,
    webhook_notices,
)
from anabranch.service.store.webhooks.endpoints import disable_endpoints

MOST_OF_ONE = 4
"""Deliveries to one endpoint that are taken at once: one that does not answer must not hold up the others."""
GONE = 410
"""The status by which a receiver says that it wants no more."""
_DELIVERY = (
    "id",
    "message",
    "endpoint",
    "type",
    "attempts",
    "created_at",
    "due",
    "delivered_at",
    "given_up_at",
)


class About(Enum):
    """What a delivery tells of."""

    JOB = "job"
    BATCH = "batch"

    @property
    def deliveries(self) -> Table:
        return webhook_deliveries if self is About.JOB else webhook_notices

    @property
    def attempts(self) -> Table:
        return webhook_attempts if self is About.JOB else webhook_notice_attempts

    @property
    def subject(self) -> ColumnElement[str]:
        """The column that names it."""
        return webhook_deliveries.c.job_id if self is About.JOB else webhook_notices.c.batch_id

    @property
    def subjects(self) -> Table:
        return jobs if self is About.JOB else batches


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A delivery in this process's hands until its lease ends."""

    id: str
    message: str
    endpoint: str
    url: str
    secrets: Sequence[str]
    """It is signed with each: while a secret is being replaced, there are two."""
    body: str
    attempt: int
    """From 1."""
    about: About = About.JOB


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of sending it once."""

    number: int
    at: datetime
    status: int | None
    """Of the answer; None where there was none."""
    error: str | None
    seconds: float

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A delivery with its attempts. A number that is missing is of a process that died."""

    id: str
    message: str
    endpoint: str
    url: str
    about: About
    subject: str
    """The id of the job, or of the batch."""
    type: str
    attempts: int
    created_at: datetime
    due: datetime | None
    """When it is tried next, or its lease ends. None: it was delivered, or given up."""
    delivered_at: datetime | None
    given_up_at: datetime | None
    tries: Sequence[Attempt]


def take(
    connection: Connection, about: About, most: int, lease_seconds: float, busy: Collection[str]
) -> list[Taken]:
    """Takes what is due, of each endpoint a few; nothing for those that are busy."""
    table = about.deliveries
    due = and_(table.c.due <= now(), table.c.endpoint.not_in(busy))
    order = func.row_number().over(partition_by=table.c.endpoint, order_by=table.c.due)
    first = select(table.c.id, order.label("place")).where(due).subquery()
    few = select(first.c.id).where(first.c.place <= MOST_OF_ONE)
    picked = (
        select(table.c.id)
        .where(due, table.c.id.in_(few))
        .order_by(table.c.due)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    taken = (
        update(table)
        .where(table.c.id.in_(select(picked.c.id)))
        .values(due=later(lease_seconds), attempts=table.c.attempts + 1)
        .returning(*(table.c[name] for name in ("id", "message", "endpoint", "body", "attempts")))
    )
    rows = connection.execute(taken).mappings().all()
    known = _read_targets(connection, {row["endpoint"] for row in rows})
    return [
        Taken(
            id=row["id"],
            message=row["message"],
            endpoint=row["endpoint"],
            url=known[row["endpoint"]][0],
            secrets=known[row["endpoint"]][1],
            body=row["body"],
            attempt=row["attempts"],
            about=about,
        )
        for row in rows
    ]


def _read_targets(connection: Connection, endpoints: Collection[str]) -> dict[str, tuple[str, Sequence[str]]]:
    """URL and secrets of each; the one that counts for a while only is the last."""
    former = case((webhook_endpoints.c.former_until > now(), webhook_endpoints.c.former_secret))
    wanted = select(
        webhook_endpoints.c.id, webhook_endpoints.c.url, webhook_endpoints.c.secret, former.label("former")
    ).where(webhook_endpoints.c.id.in_(endpoints))
    return {
        row.id: (row.url, [row.secret] if row.former is None else [row.secret, row.former])
        for row in connection.execute(wanted)
    }


def read_target(connection: Connection, endpoint: str) -> tuple[str, Sequence[str]]:
    """Where calls of this endpoint go, and what they are signed with."""
    return _read_targets(connection, [endpoint])[endpoint]


def record(
    connection: Connection, taken: Taken, attempt: Attempt, retry_seconds: float | None, dead_after: timedelta
) -> None:
    """Writes what came of an attempt, unless another process has begun the next. `retry_seconds` is until the next one;
    None gives the delivery up. An endpoint that failed for so long is disabled, and one that is gone at once."""
    table = taken.about.deliveries
    mine = and_(table.c.id == taken.id, table.c.attempts == taken.attempt)
    delivery = connection.execute(select(table.c.due).where(mine).with_for_update()).one_or_none()
    if delivery is None:
        return
    tried = {name: getattr(attempt, name) for name in ("number", "at", "status", "error", "seconds")}
    connection.execute(insert(taken.about.attempts).values(delivery=taken.id, **tried))
    endpoint = webhook_endpoints.c.id == taken.endpoint
    if attempt.succeeded:
        connection.execute(update(table).where(mine).values(due=None, delivered_at=now()))
        failing = endpoint & webhook_endpoints.c.failing_since.is_not(None)
        connection.execute(update(webhook_endpoints).where(failing).values(failing_since=None))
        return
    if delivery.due is not None:  # its endpoint may have been disabled meanwhile
        ends = {"due": None, "given_up_at": now()} if retry_seconds is None else {"due": later(retry_seconds)}
        connection.execute(update(table).where(mine).values(ends))
    fine = endpoint & webhook_endpoints.c.failing_since.is_(None)
    connection.execute(update(webhook_endpoints).where(fine).values(failing_since=now()))
    if attempt.status == GONE:
        disable_endpoints(connection, [taken.endpoint], "it answered 410: gone")
        return
    long = endpoint & (webhook_endpoints.c.failing_since <= later(-dead_after.total_seconds()))
    if connection.execute(select(webhook_endpoints.c.id).where(long)).first() is not None:
        because = f"for {dead_after.days} days nothing could be delivered; the last failure: {attempt.error}"
        disable_endpoints(connection, [taken.endpoint], because)


def find_due(connection: Connection) -> list[About]:
    """Of what something is to be sent now: a look that locks nothing."""
    ways = [
        select(literal(about.value).label("about")).where(
            select(about.deliveries.c.id).where(about.deliveries.c.due <= now()).exists()
        )
        for about in About
    ]
    return [About(told) for told in connection.execute(union_all(*ways)).scalars()]


def list_deliveries(
    connection: Connection,
    *,
    endpoint: str | None = None,
    job: JobId | None = None,
    tenant: str | None,
    limit: int,
) -> list[DeliveryRow]:
    """The newest first, with their attempts."""
    kinds = [About.JOB] if job is not None else list(About)
    found = [
        row
        for about in kinds
        for row in _list(connection, about, endpoint=endpoint, job=job, tenant=tenant, limit=limit)
    ]
    return sorted(found, key=lambda row: row.id, reverse=True)[:limit]


def _list(
    connection: Connection,
    about: About,
    *,
    endpoint: str | None,
    job: JobId | None,
    tenant: str | None,
    limit: int,
) -> list[DeliveryRow]:
    table, subjects = about.deliveries, about.subjects
    wanted = (
        select(
            *(table.c[name] for name in _DELIVERY), webhook_endpoints.c.url, about.subject.label("subject")
        )
        .join(webhook_endpoints, webhook_endpoints.c.id == table.c.endpoint)
        .join(subjects, subjects.c.id == about.subject)
        .where(
            true() if endpoint is None else table.c.endpoint == endpoint,
            true() if job is None else about.subject == job,
            true() if tenant is None else subjects.c.tenant == tenant,
        )
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    rows = connection.execute(wanted).mappings().all()
    tries = _read_attempts(connection, about.attempts, [row["id"] for row in rows])
    return [DeliveryRow(**row, about=about, tries=tries.get(row["id"], ())) for row in rows]


def _read_attempts(
    connection: Connection, table: Table, deliveries: Sequence[str]
) -> dict[str, list[Attempt]]:
    wanted = select(table).where(table.c.delivery.in_(deliveries)).order_by(table.c.delivery, table.c.number)
    found: dict[str, list[Attempt]] = {}
    for row in connection.execute(wanted).mappings():
        found.setdefault(row["delivery"], []).append(_attempt(row))
    return found


def _attempt(row: RowMapping) -> Attempt:
    told: dict[str, Any] = {name: row[name] for name in Attempt.__dataclass_fields__}
    return Attempt(**told)
