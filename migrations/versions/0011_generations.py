"""Generations of organizers, and what each organizer tells of itself: REST reads it where the link does not reach."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Time = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "generations",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("started", Time, nullable=False),
        sa.PrimaryKeyConstraint("number", name="generations_pkey"),
        sa.UniqueConstraint("name", name="generations_name_key"),
    )
    op.add_column("organizers", sa.Column("generation", sa.Integer))
    op.add_column("organizers", sa.Column("ready", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("organizers", sa.Column("started", Time))
    op.add_column("organizers", sa.Column("load", Json))


def downgrade() -> None:
    for column in ("load", "started", "ready", "generation"):
        op.drop_column("organizers", column)
    op.drop_table("generations")
