"""Where organizers are reached by the link, and the text of final thoughts that readers are told."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Time = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.create_table(
        "told_texts",
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("segment", sa.Integer, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("thought_at", sa.Integer, nullable=False),
        sa.Column("thought", sa.Text, nullable=False),
        sa.Column("text_at", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("reasoning_tokens", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "branch", "segment", "ordinal", name="told_texts_pkey"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE", name="told_texts_job_id_fkey"),
    )
    op.create_table(
        "organizers",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("expires", Time, nullable=False),
        sa.PrimaryKeyConstraint("name", name="organizers_pkey"),
    )


def downgrade() -> None:
    op.drop_table("organizers")
    op.drop_table("told_texts")
