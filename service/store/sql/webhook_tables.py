"""Declares the tables of webhooks: where they go, what is to be sent (the outbox), and what came of it."""

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, Table, text

from anabranch.service.store.sql.columns import Json, PlainText, UtcTime
from anabranch.service.store.sql.tables import metadata

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("tenant", PlainText, nullable=False),
    Column("job_id", PlainText, ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("url", PlainText, nullable=False),
    Column("secret", PlainText, nullable=False),
    Column("events", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("failing_since", UtcTime),
    Column("disabled_at", UtcTime),
    Column("disabled_because", PlainText),
    Column("former_secret", PlainText),
    Column("former_until", UtcTime),
    Index(
        "webhook_endpoints_of_tenant",
        "tenant",
        postgresql_where=text("job_id IS NULL"),
        sqlite_where=text("job_id IS NULL"),
    ),
    Index("webhook_endpoints_of_job", "job_id"),
)


def _outbox(name: str, subject: str, subjects: str) -> Table:
    """What is to be sent, and tells of one kind of subject."""
    return Table(
        name,
        metadata,
        Column("id", PlainText, primary_key=True),
        Column("message", PlainText, nullable=False),
        Column("endpoint", PlainText, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
        Column(f"{subject}_id", PlainText, ForeignKey(f"{subjects}.id", ondelete="CASCADE"), nullable=False),
        Column("type", PlainText, nullable=False),
        Column("body", PlainText, nullable=False),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("created_at", UtcTime, nullable=False),
        Column("due", UtcTime),
        Column("delivered_at", UtcTime),
        Column("given_up_at", UtcTime),
        Index(
            f"{name}_due",
            "due",
            postgresql_where=text("due IS NOT NULL"),
            sqlite_where=text("due IS NOT NULL"),
        ),
        Index(f"{name}_of_endpoint", "endpoint", "id"),
        Index(f"{name}_of_{subject}", f"{subject}_id"),
    )


def _attempts(name: str, outbox: Table) -> Table:
    """What came of each attempt to send."""
    return Table(
        name,
        metadata,
        Column("delivery", PlainText, ForeignKey(outbox.c.id, ondelete="CASCADE"), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("at", UtcTime, nullable=False),
        Column("status", Integer),
        Column("error", PlainText),
        Column("seconds", Double, nullable=False),
    )


webhook_deliveries = _outbox("webhook_deliveries", "job", "jobs")
webhook_attempts = _attempts("webhook_attempts", webhook_deliveries)

webhook_notices = _outbox("webhook_notices", "batch", "batches")
"""Deliveries that tell of batches. A table of its own: in that of jobs' deliveries, older programs ask for a job."""
webhook_notice_attempts = _attempts("webhook_notice_attempts", webhook_notices)
