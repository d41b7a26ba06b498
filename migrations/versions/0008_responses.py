"""Jobs that are responses of the Responses API, with what was sent for them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "responses",
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("previous", sa.Text),
        sa.Column("request", Json, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="responses_pkey"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="responses_job_id_fkey", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("responses")
