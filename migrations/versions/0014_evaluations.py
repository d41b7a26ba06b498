"""Evaluations: what they compare, and what came of each trial."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision: str | None = "0013"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Json = sa.JSON().with_variant(JSONB(), "postgresql")
UtcTime = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.create_table(
        "evaluations",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("design", Json, nullable=False),
        sa.Column("created_at", UtcTime, nullable=False),
        sa.Column("updated_at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "run", name="evaluations_pkey"),
    )
    op.create_index("evaluations_newest", "evaluations", ["created_at"])
    op.create_table(
        "trials",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("arm", sa.Text, nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sa.Column("critical_path_tokens", sa.BigInteger, nullable=False),
        sa.Column("total_tokens", sa.BigInteger, nullable=False),
        sa.Column("waste_tokens", sa.BigInteger, nullable=False),
        sa.Column("wall_seconds", sa.Double, nullable=False),
        sa.Column("cost", sa.Double, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "run", "task", "arm", name="trials_pkey"),
    )
    op.create_index("trials_job", "trials", ["job"])


def downgrade() -> None:
    op.drop_table("trials")
    op.drop_table("evaluations")
