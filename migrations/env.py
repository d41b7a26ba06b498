"""Runs inside `anabranch.service.store.sql.schema`, which gives the connection: Alembic makes none of its own."""

from alembic import context

from anabranch.service.store.batches.tables import batches
from anabranch.service.store.evaluations import tables  # noqa: F401 - declared in the same metadata
from anabranch.service.store.sql.tables import UNDECLARED


def is_of_tables(_object: object, name: str | None, _kind: str, reflected: bool, _compared: object) -> bool:
    """The search index is no part of the tables: it differs between databases, and may be missing. Nor is what the
    database remembers of its schema."""
    return not (reflected and name is not None and name.startswith((*UNDECLARED, "alembic_version")))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=batches.metadata,
    include_object=is_of_tables,
    version_table="schema_version",  # "alembic_version" says who can use it: see revisions.py
    transactional_ddl=True,  # SQLite can, too: a migration that fails leaves nothing behind
)
with context.begin_transaction():
    context.run_migrations()
