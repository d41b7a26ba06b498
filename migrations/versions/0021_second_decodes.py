"""What second decodes of late segments have cost, so that a lost organizer's successor books it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision: str | None = "0020"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

COLUMNS = ("second_tokens", "second_reasoning_tokens")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("checkpoints", sa.Column(name, sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    for name in reversed(COLUMNS):
        op.drop_column("checkpoints", name)
