"""Jobs that were being computed when their organizer was lost."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Time = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.create_table(
        "suspicions",
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("head_seq", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "epoch", name="suspicions_pkey"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="suspicions_job_id_fkey", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("suspicions")
