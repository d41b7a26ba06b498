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

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("message", PlainText, nullable=False),
    Column("endpoint", PlainText, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("job_id", PlainText, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("type", PlainText, nullable=False),
    Column("body", PlainText, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcTime, nullable=False),
    Column("due", UtcTime),
    Column("delivered_at", UtcTime),
    Column("given_up_at", UtcTime),
    Index(
        "webhook_deliveries_due",
        "due",
        postgresql_where=text("due IS NOT NULL"),
        sqlite_where=text("due IS NOT NULL"),
    ),
    Index("webhook_deliveries_of_endpoint", "endpoint", "id"),
    Index("webhook_deliveries_of_job", "job_id"),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("delivery", PlainText, ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("status", Integer),
    Column("error", PlainText),
    Column("seconds", Double, nullable=False),
)

webhook_notices = Table(
    "webhook_notices",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("message", PlainText, nullable=False),
    Column("endpoint", PlainText, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("batch_id", PlainText, ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("type", PlainText, nullable=False),
    Column("body", PlainText, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcTime, nullable=False),
    Column("due", UtcTime),
    Column("delivered_at", UtcTime),
    Column("given_up_at", UtcTime),
    Index(
        "webhook_notices_due",
        "due",
        postgresql_where=text("due IS NOT NULL"),
        sqlite_where=text("due IS NOT NULL"),
    ),
    Index("webhook_notices_of_endpoint", "endpoint", "id"),
    Index("webhook_notices_of_batch", "batch_id"),
)
"""Deliveries that tell of batches. A table of its own: in that of jobs' deliveries, older programs ask for a job."""

webhook_notice_attempts = Table(
    "webhook_notice_attempts",
    metadata,
    Column("delivery", PlainText, ForeignKey("webhook_notices.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("status", Integer),
    Column("error", PlainText),
    Column("seconds", Double, nullable=False),
)
