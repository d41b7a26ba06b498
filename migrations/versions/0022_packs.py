"""Packed journals of jobs that ended long ago, and which jobs have one still to be packed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision: str | None = "0021"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

INDEX = "jobs_to_pack ON jobs (finished_at) WHERE NOT packed AND finished_at IS NOT NULL"


def upgrade() -> None:
    op.create_table(
        "packs",
        sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE", name="packs_job_id_fkey")),
        sa.Column("last_seq", sa.Integer, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "last_seq", name="packs_pkey"),
        if_not_exists=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE jobs ADD COLUMN IF NOT EXISTS packed BOOLEAN NOT NULL DEFAULT false")
        with op.get_context().autocommit_block():
            op.execute("SET lock_timeout = 0")  # it waits for others' transactions, and nobody waits for it
            op.execute("DROP INDEX CONCURRENTLY IF EXISTS jobs_to_pack")  # an interrupted try's
            op.execute(f"CREATE INDEX CONCURRENTLY {INDEX}")
    else:
        op.add_column("jobs", sa.Column("packed", sa.Boolean, nullable=False, server_default=sa.false()))
        op.execute(f"CREATE INDEX {INDEX}")


def downgrade() -> None:
    if packed := op.get_bind().scalar(sa.text("SELECT count(DISTINCT job_id) FROM packs")):
        raise RuntimeError(
            f"{packed} journals are packed, and an older release cannot read them. Nothing was changed: go back to a"
            " backup from before, or export these jobs, purge them, and import them after."
        )
    op.drop_index("jobs_to_pack", "jobs")
    op.drop_column("jobs", "packed")
    op.drop_table("packs")
