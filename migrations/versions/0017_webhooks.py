"""Webhooks: endpoints, the outbox of what is to be sent to them, and what came of each attempt."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision: str | None = "0016"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Json = sa.JSON().with_variant(JSONB(), "postgresql")
Time = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def _key(column: str, table: str, of: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{of}.id"], name=f"{table}_{column}_fkey", ondelete="CASCADE")


def upgrade() -> None:
    _make_endpoints()
    _make_deliveries()
    op.create_table(
        "webhook_attempts",
        sa.Column("delivery", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("delivery", "number", name="webhook_attempts_pkey"),
        _key("delivery", "webhook_attempts", "webhook_deliveries"),
    )


def _make_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("events", Json, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("failing_since", Time),
        sa.Column("disabled_at", Time),
        sa.Column("disabled_because", sa.Text),
        sa.PrimaryKeyConstraint("id", name="webhook_endpoints_pkey"),
        _key("job_id", "webhook_endpoints", "jobs"),
    )
    lasting = sa.text("job_id IS NULL")
    op.create_index(
        "webhook_endpoints_of_tenant",
        "webhook_endpoints",
        ["tenant"],
        postgresql_where=lasting,
        sqlite_where=lasting,
    )
    op.create_index("webhook_endpoints_of_job", "webhook_endpoints", ["job_id"])


def _make_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("due", Time),
        sa.Column("delivered_at", Time),
        sa.Column("given_up_at", Time),
        sa.PrimaryKeyConstraint("id", name="webhook_deliveries_pkey"),
        _key("endpoint", "webhook_deliveries", "webhook_endpoints"),
        _key("job_id", "webhook_deliveries", "jobs"),
    )
    waiting = sa.text("due IS NOT NULL")
    op.create_index(
        "webhook_deliveries_due",
        "webhook_deliveries",
        ["due"],
        postgresql_where=waiting,
        sqlite_where=waiting,
    )
    op.create_index("webhook_deliveries_of_endpoint", "webhook_deliveries", ["endpoint", "id"])
    op.create_index("webhook_deliveries_of_job", "webhook_deliveries", ["job_id"])


def downgrade() -> None:
    for table in ("webhook_attempts", "webhook_deliveries", "webhook_endpoints"):
        op.drop_table(table)
