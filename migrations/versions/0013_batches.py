"""Files of lines, batches of them, and what came of each line."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision: str | None = "0012"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Time = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("lines", sa.Integer, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="files_pkey"),
    )
    op.create_index("files_newest", "files", ["created_at", "id"])
    op.create_table(
        "file_lines",
        sa.Column("file_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("custom_id", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("file_id", "number", name="file_lines_pkey"),
        sa.ForeignKeyConstraint(
            ["file_id"], ["files.id"], name="file_lines_file_id_fkey", ondelete="CASCADE"
        ),
    )
    _create_batches()
    op.create_table(
        "batch_lines",
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("custom_id", sa.Text, nullable=False),
        sa.Column("succeeded", sa.Boolean),
        sa.Column("result", sa.Text),
        sa.PrimaryKeyConstraint("batch_id", "number", name="batch_lines_pkey"),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name="batch_lines_batch_id_fkey", ondelete="CASCADE"
        ),
    )
    open_lines = sa.text("result IS NULL")
    op.create_index(
        "batch_lines_open", "batch_lines", ["batch_id", "number"],
        postgresql_where=open_lines, sqlite_where=open_lines,
    )  # fmt: skip
    op.create_table(
        "batch_jobs",
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("choice", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="batch_jobs_pkey"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="batch_jobs_job_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["batch_id", "number"], ["batch_lines.batch_id", "batch_lines.number"],
            name="batch_jobs_batch_id_fkey", ondelete="CASCADE",
        ),
    )  # fmt: skip
    op.create_index("batch_jobs_of_line", "batch_jobs", ["batch_id", "number", "choice"])


def _create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("body_digest", sa.Text),
        sa.Column("file_id", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("completion_window", sa.Text, nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("expires_at", Time, nullable=False),
        sa.Column("begun", sa.Integer, nullable=False, server_default="0"),
        sa.Column("succeeded", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failed", sa.Integer, nullable=False, server_default="0"),
        sa.Column("stopping", sa.Text),
        sa.Column("stopping_at", Time),
        sa.Column("ended_at", Time),
        sa.PrimaryKeyConstraint("id", name="batches_pkey"),
        sa.UniqueConstraint("tenant", "idempotency_key", name="batches_tenant_idempotency_key_key"),
    )
    op.create_index("batches_newest", "batches", ["created_at", "id"])
    live = sa.text("ended_at IS NULL")
    op.create_index("batches_live", "batches", ["created_at"], postgresql_where=live, sqlite_where=live)


def downgrade() -> None:
    for table in ("batch_jobs", "batch_lines", "batches", "file_lines", "files"):
        op.drop_table(table)
