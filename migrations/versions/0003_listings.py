"""Indexes for what is asked often once there are many ended jobs: a tenant's list, an owner's leases, a search.

`jobs_ended` leaves out the live, or else SQLite would take it for claims, and sort all that wait by their turns.

On PostgreSQL they are built concurrently: jobs are written meanwhile. A search needs the extension pg_trgm there, and
SQLite's FTS5 here; where it cannot be had, a search reads the newest jobs, page by page (`store/listings/listing.py`).
"""

import logging
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

log = logging.getLogger(__name__)

INDEXES = {
    "jobs_newest_of_tenant": ["tenant", "created_at", "id"],
    "jobs_newest_of_tenant_by_status": ["tenant", "status", "created_at", "id"],
}
LIVE = sa.text("finished_at IS NULL")
ENDED = sa.text("finished_at IS NOT NULL")
OWNED = sa.text("lease_owner IS NOT NULL")

FTS = (
    "CREATE TABLE searched (n INTEGER PRIMARY KEY, job_id TEXT NOT NULL UNIQUE)",
    "CREATE VIRTUAL TABLE searched_text USING fts5 (question, content='', detail='none', tokenize='trigram')",
    "INSERT INTO searched (job_id) SELECT id FROM jobs",
    """
    INSERT INTO searched_text (rowid, question)
        SELECT n, substr(question, 1, 20000) FROM searched JOIN jobs ON jobs.id = searched.job_id
    """,
    """
    CREATE TRIGGER searched_insert AFTER INSERT ON jobs BEGIN
        INSERT INTO searched (job_id) VALUES (new.id);
        INSERT INTO searched_text (rowid, question)
            SELECT n, substr(new.question, 1, 20000) FROM searched WHERE job_id = new.id;
    END
    """,
    """
    CREATE TRIGGER searched_update AFTER UPDATE OF question ON jobs WHEN old.question IS NOT new.question BEGIN
        INSERT INTO searched_text (searched_text, rowid, question)
            SELECT 'delete', n, substr(old.question, 1, 20000) FROM searched WHERE job_id = old.id;
        INSERT INTO searched_text (rowid, question)
            SELECT n, substr(new.question, 1, 20000) FROM searched WHERE job_id = new.id;
    END
    """,
    """
    CREATE TRIGGER searched_delete AFTER DELETE ON jobs BEGIN
        INSERT INTO searched_text (searched_text, rowid, question)
            SELECT 'delete', n, substr(old.question, 1, 20000) FROM searched WHERE job_id = old.id;
        DELETE FROM searched WHERE job_id = old.id;
    END
    """,
)
"""The index holds no text: to delete from it, it is told what was inserted."""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        trigrams = _can_trigrams(op.get_bind())
        with op.get_context().autocommit_block():
            _upgrade_postgres(trigrams=trigrams)
    else:
        _upgrade_sqlite()


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX IF EXISTS jobs_searched")
    else:
        for trigger in ("searched_insert", "searched_update", "searched_delete"):
            op.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        for table in ("searched_text", "searched"):
            op.execute(f"DROP TABLE IF EXISTS {table}")
    op.drop_index("jobs_ended", "jobs")
    op.create_index("jobs_ended", "jobs", ["finished_at"])
    op.drop_index("jobs_held", "jobs")
    op.create_index("jobs_lease_owner", "jobs", ["lease_owner"], postgresql_where=OWNED, sqlite_where=OWNED)
    for name in INDEXES:
        op.drop_index(name, "jobs")


def _upgrade_postgres(*, trigrams: bool) -> None:
    op.execute("SET lock_timeout = 0")  # it waits for others' transactions, and nobody waits for it
    for name, columns in INDEXES.items():
        _build(name, f"({', '.join(columns)})")
    _build("jobs_held", "(lease_owner) WHERE finished_at IS NULL")
    _build("jobs_ended", "(finished_at) WHERE finished_at IS NOT NULL")
    if trigrams:
        _build("jobs_searched", "USING gin (substr(question, 1, 20000) gin_trgm_ops)")
    op.execute("DROP INDEX CONCURRENTLY IF EXISTS jobs_lease_owner")


def _build(name: str, what: str) -> None:
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # what a try that was interrupted left is invalid
    on = what if what.startswith("USING") else f"USING btree {what}"
    op.execute(f"CREATE INDEX CONCURRENTLY {name} ON jobs {on}")


def _can_trigrams(connection: sa.Connection) -> bool:
    """Creates the extension where this user may."""
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except sa.exc.DBAPIError as error:
        log.warning("searches read the newest jobs page by page, for there is no pg_trgm: %s", error.orig)
        return False
    return True


def _upgrade_sqlite() -> None:
    for name, columns in INDEXES.items():
        op.create_index(name, "jobs", columns)
    op.create_index("jobs_held", "jobs", ["lease_owner"], sqlite_where=LIVE)
    op.drop_index("jobs_lease_owner", "jobs")
    op.drop_index("jobs_ended", "jobs")
    op.create_index("jobs_ended", "jobs", ["finished_at"], sqlite_where=ENDED)
    options = op.get_bind().execute(sa.text("SELECT sqlite_compileoption_used('ENABLE_FTS5')")).scalar_one()
    if not options:
        log.warning("searches read the newest jobs page by page, for this SQLite is built without FTS5")
        return
    for statement in FTS:
        op.execute(statement)
