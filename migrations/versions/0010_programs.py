"""Which programs work on this database, and how new they are: a migration that takes something away looks for them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Time = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.create_table(
        "programs",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("release", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("expires", Time, nullable=False),
        sa.PrimaryKeyConstraint("name", name="programs_pkey"),
    )


def downgrade() -> None:
    op.drop_table("programs")
