"""Stores deliveries: who sends which now, and what came of each attempt.

Whoever takes a delivery moves its `due` behind the time that an attempt may last: that is its lease. If the process
dies, the delivery is due again by itself; if it comes back late, its attempt's number tells that another has begun.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, func, insert, select, true, update

from anabranch.dag.ids import JobId
from anabranch.service.store.sql.clock import later, now
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.sql.webhook_tables import webhook_attempts, webhook_deliveries, webhook_endpoints
from anabranch.service.store.webhooks.endpoints import disable_endpoints

MOST_OF_ONE = 4
"""Deliveries to one endpoint that are taken at once: one that does not answer must not hold up the others."""
GONE = 410
"""The status by which a receiver says that it wants no more."""
_DELIVERY = (
    "id",
    "message",
    "endpoint",
    "job_id",
    "type",
    "attempts",
    "created_at",
    "due",
    "delivered_at",
    "given_up_at",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A delivery in this process's hands until its lease ends."""

    id: str
    message: str
    endpoint: str
    url: str
    secret: str
    body: str
    attempt: int
    """From 1."""


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
    job_id: JobId
    type: str
    attempts: int
    created_at: datetime
    due: datetime | None
    """When it is tried next, or its lease ends. None: it was delivered, or given up."""
    delivered_at: datetime | None
    given_up_at: datetime | None
    tries: Sequence[Attempt]


def take(connection: Connection, most: int, lease_seconds: float, busy: Collection[str]) -> list[Taken]:
    """Takes what is due, of each endpoint a few; nothing for those that are busy."""
    due = and_(webhook_deliveries.c.due <= now(), webhook_deliveries.c.endpoint.not_in(busy))
    order = func.row_number().over(
        partition_by=webhook_deliveries.c.endpoint, order_by=webhook_deliveries.c.due
    )
    first = select(webhook_deliveries.c.id, order.label("place")).where(due).subquery()
    few = select(first.c.id).where(first.c.place <= MOST_OF_ONE)
    picked = (
        select(webhook_deliveries.c.id)
        .where(due, webhook_deliveries.c.id.in_(few))
        .order_by(webhook_deliveries.c.due)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    taken = (
        update(webhook_deliveries)
        .where(webhook_deliveries.c.id.in_(select(picked.c.id)))
        .values(due=later(lease_seconds), attempts=webhook_deliveries.c.attempts + 1)
        .returning(
            *(webhook_deliveries.c[name] for name in ("id", "message", "endpoint", "body", "attempts"))
        )
    )
    rows = connection.execute(taken).mappings().all()
    endpoints = webhook_endpoints.c.id.in_({row["endpoint"] for row in rows})
    wanted = select(webhook_endpoints.c.id, webhook_endpoints.c.url, webhook_endpoints.c.secret).where(
        endpoints
    )
    known = {row.id: row for row in connection.execute(wanted)}
    return [
        Taken(
            id=row["id"],
            message=row["message"],
            endpoint=row["endpoint"],
            url=known[row["endpoint"]].url,
            secret=known[row["endpoint"]].secret,
            body=row["body"],
            attempt=row["attempts"],
        )
        for row in rows
    ]


def record(
    connection: Connection, taken: Taken, attempt: Attempt, retry_seconds: float | None, dead_after: timedelta
) -> None:
    """Writes what came of an attempt, unless another process has begun the next. `retry_seconds` is until the next one;
    None gives the delivery up. An endpoint that failed for so long is disabled, and one that is gone at once."""
    mine = and_(webhook_deliveries.c.id == taken.id, webhook_deliveries.c.attempts == taken.attempt)
    delivery = connection.execute(
        select(webhook_deliveries.c.due).where(mine).with_for_update()
    ).one_or_none()
    if delivery is None:
        return
    tried = {name: getattr(attempt, name) for name in ("number", "at", "status", "error", "seconds")}
    connection.execute(insert(webhook_attempts).values(delivery=taken.id, **tried))
    endpoint = webhook_endpoints.c.id == taken.endpoint
    if attempt.succeeded:
        connection.execute(update(webhook_deliveries).where(mine).values(due=None, delivered_at=now()))
        failing = endpoint & webhook_endpoints.c.failing_since.is_not(None)
        connection.execute(update(webhook_endpoints).where(failing).values(failing_since=None))
        return
    if delivery.due is not None:  # its endpoint may have been disabled meanwhile
        ends = {"due": None, "given_up_at": now()} if retry_seconds is None else {"due": later(retry_seconds)}
        connection.execute(update(webhook_deliveries).where(mine).values(ends))
    fine = endpoint & webhook_endpoints.c.failing_since.is_(None)
    connection.execute(update(webhook_endpoints).where(fine).values(failing_since=now()))
    if attempt.status == GONE:
        disable_endpoints(connection, [taken.endpoint], "it answered 410: gone")
        return
    long = endpoint & (webhook_endpoints.c.failing_since <= later(-dead_after.total_seconds()))
    if connection.execute(select(webhook_endpoints.c.id).where(long)).first() is not None:
        because = f"for {dead_after.days} days nothing could be delivered; the last failure: {attempt.error}"
        disable_endpoints(connection, [taken.endpoint], because)


def any_due(connection: Connection) -> bool:
    """Whether something is to be sent now: a look that locks nothing."""
    wanted = select(webhook_deliveries.c.id).where(webhook_deliveries.c.due <= now()).limit(1)
    return connection.execute(wanted).first() is not None


def list_deliveries(
    connection: Connection,
    *,
    endpoint: str | None = None,
    job: JobId | None = None,
    tenant: str | None,
    limit: int,
) -> list[DeliveryRow]:
    """The newest first, with their attempts."""
    wanted = (
        select(*(webhook_deliveries.c[name] for name in _DELIVERY), webhook_endpoints.c.url)
        .join(webhook_endpoints, webhook_endpoints.c.id == webhook_deliveries.c.endpoint)
        .join(jobs, jobs.c.id == webhook_deliveries.c.job_id)
        .where(
            true() if endpoint is None else webhook_deliveries.c.endpoint == endpoint,
            true() if job is None else webhook_deliveries.c.job_id == job,
            true() if tenant is None else jobs.c.tenant == tenant,
        )
        .order_by(webhook_deliveries.c.id.desc())
        .limit(limit)
    )
    rows = connection.execute(wanted).mappings().all()
    tries = _read_attempts(connection, [row["id"] for row in rows])
    return [DeliveryRow(**row, tries=tries.get(row["id"], ())) for row in rows]


def _read_attempts(connection: Connection, deliveries: Sequence[str]) -> dict[str, list[Attempt]]:
    wanted = (
        select(webhook_attempts)
        .where(webhook_attempts.c.delivery.in_(deliveries))
        .order_by(webhook_attempts.c.delivery, webhook_attempts.c.number)
    )
    found: dict[str, list[Attempt]] = {}
    for row in connection.execute(wanted).mappings():
        found.setdefault(row["delivery"], []).append(_attempt(row))
    return found


def _attempt(row: RowMapping) -> Attempt:
    told: dict[str, Any] = {name: row[name] for name in Attempt.__dataclass_fields__}
    return Attempt(**told)
