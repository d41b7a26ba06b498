"""Indexes of what ended jobs are sorted by; see `service/store/listings/sorting.py`, which must agree to the letter.

On PostgreSQL they are built concurrently, and cost has none: it changes while a job runs, and an index of it would have
each commit of a running job write all of the table's indexes anew. `metrics` is written with the end alone.
"""

from collections.abc import Sequence

from alembic import op

revision = "0018"
down_revision: str | None = "0017"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

METRICS = {
    "tokens": "total_tokens",
    "time": "wall_seconds",
    "path": "critical_path_seconds",
    "claim": "queue_seconds",
    "branches": "branches",
}
ENDED = "WHERE finished_at IS NOT NULL"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            op.execute("SET lock_timeout = 0")  # it waits for others' transactions, and nobody waits for it
            for name, expression in _in_postgres().items():
                op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS jobs_most_{name}")  # an interrupted try's
                op.execute(
                    f"CREATE INDEX CONCURRENTLY jobs_most_{name} ON jobs USING btree (({expression}), id) {ENDED}"
                )
    else:
        for name, expression in _in_sqlite().items():
            op.execute(f"CREATE INDEX jobs_most_{name} ON jobs ({expression}, id) {ENDED}")


def downgrade() -> None:
    for name in (*METRICS, "waste", "cost"):
        op.execute(f"DROP INDEX IF EXISTS jobs_most_{name}")


def _in_sqlite() -> dict[str, str]:
    each = {name: f"coalesce(json_extract(metrics, '$.{metric}'), 0)" for name, metric in METRICS.items()}
    wasted = "coalesce(json_extract(metrics, '$.waste_tokens'), 0)"
    return {**each, "waste": f"({wasted} * 1.0 / max(1, {each['tokens']}))", "cost": "cost"}


def _in_postgres() -> dict[str, str]:
    each = {name: f"coalesce((metrics ->> '{metric}')::float8, 0)" for name, metric in METRICS.items()}
    wasted = "coalesce((metrics ->> 'waste_tokens')::float8, 0)"
    return {**each, "waste": f"({wasted} / greatest(1, {each['tokens']}))"}
