"""Of which model each segment was asked."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("segments", sa.Column("model", sa.Text))


def downgrade() -> None:
    op.drop_column("segments", "model")
