"""What people think of answers."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision: str | None = "0015"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

UtcTime = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.create_table(
        "feedback",
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("comment", sa.Text, nullable=False, server_default=""),
        sa.Column("at", UtcTime, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "author", name="feedback_pkey"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="feedback_job_id_fkey", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("feedback")
