"""Writes what webhooks are to tell of a batch, in the transaction that ends it: see `outbox.py`."""

import json
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select

from anabranch.service.store.identity import new_id
from anabranch.service.store.sql.clock import now
from anabranch.service.store.sql.columns import utc_text
from anabranch.service.store.sql.webhook_tables import webhook_endpoints, webhook_notices

BATCH_TYPES = {"completed": "batch.completed", "cancelled": "batch.cancelled", "expired": "batch.expired"}
"""By what became of the batch; OpenAI's names."""


def write_notices(connection: Connection, batch: RowMapping, ended_at: datetime) -> None:
    """Writes a delivery for each endpoint of the batch's tenant that listens."""
    status = batch["stopping"] or "completed"
    kind = BATCH_TYPES[status]
    endpoints = select(webhook_endpoints.c.id, webhook_endpoints.c.events).where(
        webhook_endpoints.c.tenant == batch["tenant"],
        webhook_endpoints.c.job_id.is_(None),
        webhook_endpoints.c.disabled_at.is_(None),
    )
    for endpoint, events in connection.execute(endpoints).all():
        if events and kind not in events:
            continue
        row = {
            "id": new_id(),
            "message": f"msg_{batch['id']}",
            "endpoint": endpoint,
            "batch_id": batch["id"],
            "type": kind,
            "body": _body(kind, batch, status, ended_at),
            "created_at": now(),
            "due": now(),
        }
        connection.execute(insert(webhook_notices).values(row))


def _body(kind: str, batch: RowMapping, status: str, ended_at: datetime) -> str:
    """What is sent, letter by letter: its signature covers these bytes."""
    told = {
        "id": batch["id"],
        "status": status,
        "metadata": batch["metadata"],
        "created_at": utc_text(batch["created_at"]),
        "ended_at": utc_text(ended_at),
        "request_counts": {
            "total": batch["total"],
            "completed": batch["succeeded"],
            "failed": batch["failed"],
        },
    }
    return json.dumps(
        {"type": kind, "timestamp": utc_text(ended_at), "data": told},
        separators=(",", ":"),
        ensure_ascii=True,
    )
