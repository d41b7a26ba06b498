"""Upgrades a database to this program's schema, or refuses to work on another."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from anabranch.service.store.errors import NoDatabase, SchemaAhead, SchemaBehind
from anabranch.service.store.sql.database import Database, sqlite_file


async def upgrade(url: str) -> None:
    """Applies the migrations that the database lacks; several processes may do so at once. Raises StoreAway."""
    database = Database(url)
    try:
        await database.migrate(_upgrade)
    finally:
        await database.close()


async def check(url: str) -> None:
    """Raises SchemaBehind or SchemaAhead if the database's schema is not this program's, NoDatabase if there is no such
    file, StoreAway if the database is away."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise NoDatabase(file)
    database = Database(url)
    try:
        await database.read(_check)
    finally:
        await database.close()


def config(connection: Connection) -> Config:
    """Alembic's configuration for migrations on this connection."""
    made = Config()
    made.set_main_option("script_location", str(files("anabranch.migrations")))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # A migration that waits for a lock makes all others wait behind it: rather fail soon and be run again.
        connection.execute(text("SET lock_timeout = '5s'"))
        connection.execute(text("SET statement_timeout = 0"))
    _refuse_newer(connection)
    if connection.dialect.name == "postgresql":
        connection.commit()  # Alembic begins its own transactions: some indexes are built outside of any
    command.upgrade(config(connection), "head")


def _check(connection: Connection) -> None:
    _refuse_newer(connection)
    found, needed = _found(connection), _needed(connection)
    if found != needed:
        raise SchemaBehind(found, needed)


def _refuse_newer(connection: Connection) -> None:
    found = _found(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config(connection)).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaAhead(found, _needed(connection))


def _found(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _needed(connection: Connection) -> str:
    head = ScriptDirectory.from_config(config(connection)).get_current_head()
    assert head is not None, "the package has migrations"
    return head
