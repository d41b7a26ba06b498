"""Indexes to sum what a tenant has spent today, and to find the jobs that ended since."""

from collections.abc import Sequence

from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_index("jobs_of_tenant", "jobs", ["tenant", "finished_at"])
    op.create_index("jobs_ended", "jobs", ["finished_at"])


def downgrade() -> None:
    op.drop_index("jobs_ended", "jobs")
    op.drop_index("jobs_of_tenant", "jobs")
