"""What limits count where several REST processes answer for one tenant: its requests, and the streams it has open."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision: str | None = "0019"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

Time = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    op.create_table(
        "tenant_requests",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="tenant_requests_pkey"),
    )
    op.create_index("tenant_requests_of_tenant", "tenant_requests", ["tenant", "at"])
    op.create_table(
        "tenant_streams",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("expires", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="tenant_streams_pkey"),
    )
    op.create_index("tenant_streams_of_tenant", "tenant_streams", ["tenant", "expires"])


def downgrade() -> None:
    op.drop_table("tenant_streams")
    op.drop_table("tenant_requests")
