"""Stores endpoints of webhooks: a tenant's, which hear of all its jobs, and those of a single job."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, true, update

from anabranch.dag.ids import JobId
from anabranch.service.store.errors import NotFound
from anabranch.service.store.sql.clock import later, now
from anabranch.service.store.sql.webhook_tables import webhook_deliveries, webhook_endpoints, webhook_notices
from anabranch.service.store.webhooks.rows import NewWebhook


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRow:
    """An endpoint; its secret is told by nobody."""

    id: str
    tenant: str
    job_id: JobId | None
    """The one job that it hears of; None: all of its tenant's."""
    url: str
    events: Sequence[str]
    """Types; all where none is named."""
    created_at: datetime
    failing_since: datetime | None
    """When the first of those attempts failed behind which none succeeded."""
    disabled_at: datetime | None
    disabled_because: str | None
    former_until: datetime | None
    """Until then, the secret before the last one counts, too."""


def insert_endpoint(connection: Connection, tenant: str, new: NewWebhook, job: JobId | None = None) -> str:
    """Gives its id."""
    endpoint = f"whe_{secrets.token_hex(12)}"
    row = {
        "id": endpoint,
        "tenant": tenant,
        "job_id": job,
        "url": new.url,
        "secret": new.secret,
        "events": list(new.events),
        "created_at": now(),
    }
    connection.execute(insert(webhook_endpoints).values(row))
    return endpoint


def read_endpoint(connection: Connection, endpoint: str, tenant: str | None) -> EndpointRow:
    """One of a tenant's. Raises NotFound."""
    wanted = select(webhook_endpoints).where(webhook_endpoints.c.id == endpoint, *_of(tenant))
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise NotFound("webhook", endpoint[:60])
    return _row(row)


def list_endpoints(connection: Connection, tenant: str | None) -> list[EndpointRow]:
    """A tenant's, the oldest first; not those of single jobs."""
    wanted = (
        select(webhook_endpoints)
        .where(*_of(tenant), webhook_endpoints.c.job_id.is_(None))
        .order_by(webhook_endpoints.c.created_at, webhook_endpoints.c.id)
    )
    return [_row(row) for row in connection.execute(wanted).mappings()]


def delete_endpoint(connection: Connection, endpoint: str, tenant: str | None) -> None:
    """With what was sent there, and is to be sent. Raises NotFound."""
    read_endpoint(connection, endpoint, tenant)
    connection.execute(delete(webhook_endpoints).where(webhook_endpoints.c.id == endpoint))


def enable_endpoint(connection: Connection, endpoint: str, tenant: str | None) -> EndpointRow:
    """Lets it hear of what happens from now on. Raises NotFound."""
    read_endpoint(connection, endpoint, tenant)
    fresh = {"disabled_at": None, "disabled_because": None, "failing_since": None}
    connection.execute(update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint).values(fresh))
    return read_endpoint(connection, endpoint, tenant)


def replace_secret(
    connection: Connection, endpoint: str, tenant: str | None, secret: str, overlap_seconds: float
) -> EndpointRow:
    """From now on calls are signed with this secret, and for so long with the one before, too. Raises NotFound."""
    read_endpoint(connection, endpoint, tenant)
    fresh = {
        "former_secret": webhook_endpoints.c.secret,
        "former_until": later(overlap_seconds),
        "secret": secret,
    }
    connection.execute(update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint).values(fresh))
    return read_endpoint(connection, endpoint, tenant)


def disable_endpoints(connection: Connection, endpoints: Collection[str], because: str) -> None:
    """Sends nothing there any more; what waits is given up."""
    this = webhook_endpoints.c.id.in_(endpoints)
    dead = {"disabled_at": now(), "disabled_because": because}
    connection.execute(update(webhook_endpoints).where(this).values(dead))
    given_up = {"due": None, "given_up_at": now()}
    for table in (webhook_deliveries, webhook_notices):
        waiting = table.c.endpoint.in_(endpoints) & table.c.due.is_not(None)
        connection.execute(update(table).where(waiting).values(given_up))


def _of(tenant: str | None) -> tuple[ColumnElement[bool], ...]:
    return (true() if tenant is None else webhook_endpoints.c.tenant == tenant,)


def _row(row: RowMapping) -> EndpointRow:
    found: dict[str, Any] = {name: row[name] for name in EndpointRow.__dataclass_fields__}
    return EndpointRow(**found)
