"""The one vocabulary of status for branches: computed from phase, open segments and approvals, as jobs have it.

Before, the column said forked, running or retrying of a branch that had not ended. Journals of before tell of no
approval that was withdrawn; after going down and up again with ones that do, rebuild the projections.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

STATUS = (
    "CASE WHEN phase IN ('returned', 'failed', 'cancelled') THEN phase"
    " WHEN approvals_pending > 0 THEN 'waiting' WHEN open_segments > 0 THEN 'decoding' ELSE phase END"
)

# A branch is open from its first segment or its first child on.
FILL = (
    "UPDATE branches SET phase = 'open' WHERE phase = 'running'",
    """
    UPDATE branches SET phase = 'open' WHERE phase IN ('forked', 'retrying') AND (
        (job_id, branch) IN (SELECT job_id, branch FROM segments)
        OR (job_id, branch) IN (SELECT job_id, parent FROM branches WHERE parent IS NOT NULL))
    """,
    "UPDATE branches SET phase = 'queued' WHERE phase IN ('forked', 'retrying')",
    """
    UPDATE branches SET open_segments = 1
        WHERE (job_id, branch) IN (SELECT job_id, branch FROM segments WHERE finished_at IS NULL)
    """,
    """
    UPDATE branches SET approvals_pending = (
        SELECT count(*) FROM approvals
        WHERE approvals.job_id = branches.job_id AND approvals.branch = branches.branch AND NOT recorded
    ) WHERE (job_id, branch) IN (SELECT job_id, branch FROM approvals WHERE NOT recorded)
    """,
)

# It was told as retrying from the retry to the first segment of that attempt.
EMPTY = (
    """
    UPDATE branches SET phase = 'retrying' WHERE phase IN ('queued', 'open') AND attempts > 1
        AND (job_id, branch, attempts) NOT IN (SELECT job_id, branch, attempt FROM segments WHERE NOT continues)
    """,
    "UPDATE branches SET phase = 'forked' WHERE phase = 'queued'",
    """
    UPDATE branches SET phase = 'forked' WHERE phase = 'open'
        AND (job_id, branch) NOT IN (SELECT job_id, branch FROM segments WHERE NOT continues)
    """,
    "UPDATE branches SET phase = 'running' WHERE phase = 'open'",
)


def upgrade() -> None:
    op.alter_column("branches", "status", new_column_name="phase")
    for count in ("open_segments", "approvals_pending"):
        op.add_column("branches", sa.Column(count, sa.Integer, nullable=False, server_default="0"))
    for statement in FILL:
        op.execute(statement)
    # SQLite adds no stored column to a table that is there: it computes this one when it is read.
    stored = op.get_bind().dialect.name == "postgresql"
    op.add_column("branches", sa.Column("status", sa.Text, sa.Computed(STATUS, persisted=stored)))


def downgrade() -> None:
    op.drop_column("branches", "status")
    for statement in EMPTY:
        op.execute(statement)
    for count in ("open_segments", "approvals_pending"):
        op.drop_column("branches", count)
    op.alter_column("branches", "phase", new_column_name="status")
