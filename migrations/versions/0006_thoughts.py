"""Thoughts, beside the text: what is being thought in checkpoints, and how many of the decoded tokens were thoughts."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

COUNTED = ("jobs", "branches", "segments")


def upgrade() -> None:
    for table in COUNTED:
        op.add_column(table, sa.Column("reasoning_tokens", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("checkpoints", sa.Column("thought", sa.Text, nullable=False, server_default=""))
    op.add_column(
        "checkpoints", sa.Column("reasoning_tokens", sa.Integer, nullable=False, server_default="0")
    )


def downgrade() -> None:
    op.drop_column("checkpoints", "reasoning_tokens")
    op.drop_column("checkpoints", "thought")
    for table in COUNTED:
        op.drop_column(table, "reasoning_tokens")
