"""Runs inside `anabranch.service.store.schema`, which gives the connection: Alembic makes none of its own."""

from alembic import context

from anabranch.service.store.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite can, too: a migration that fails leaves nothing behind
)
with context.begin_transaction():
    context.run_migrations()
