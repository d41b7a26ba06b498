"""Webhooks that tell of a batch's end, and secrets of endpoints that count on for a while when they are replaced."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision: str | None = "0018"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Time = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.add_column("webhook_endpoints", sa.Column("former_secret", sa.Text))
    op.add_column("webhook_endpoints", sa.Column("former_until", Time))
    op.create_table(
        "webhook_notices",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("due", Time),
        sa.Column("delivered_at", Time),
        sa.Column("given_up_at", Time),
        sa.PrimaryKeyConstraint("id", name="webhook_notices_pkey"),
        sa.ForeignKeyConstraint(
            ["endpoint"],
            ["webhook_endpoints.id"],
            name="webhook_notices_endpoint_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name="webhook_notices_batch_id_fkey", ondelete="CASCADE"
        ),
    )
    waiting = sa.text("due IS NOT NULL")
    op.create_index(
        "webhook_notices_due", "webhook_notices", ["due"], postgresql_where=waiting, sqlite_where=waiting
    )
    op.create_index("webhook_notices_of_endpoint", "webhook_notices", ["endpoint", "id"])
    op.create_index("webhook_notices_of_batch", "webhook_notices", ["batch_id"])
    op.create_table(
        "webhook_notice_attempts",
        sa.Column("delivery", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("delivery", "number", name="webhook_notice_attempts_pkey"),
        sa.ForeignKeyConstraint(
            ["delivery"],
            ["webhook_notices.id"],
            name="webhook_notice_attempts_delivery_fkey",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    op.drop_table("webhook_notice_attempts")
    op.drop_table("webhook_notices")
    op.drop_column("webhook_endpoints", "former_until")
    op.drop_column("webhook_endpoints", "former_secret")
