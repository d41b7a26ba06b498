"""Upgrades a database to this program's schema, or refuses to work on one that it cannot use.

`revisions.py` has the theory. Each revision is a step of its own, under a lock that only one process has; so an upgrade
may be run twice, at once, or again after it was interrupted, and goes on from where the database is.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alembic import command
from sqlalchemy import Connection, inspect, text

from anabranch.service.store.errors import (
    ContractionRefused,
    NoDatabase,
    SchemaAhead,
    SchemaBehind,
    StoreAway,
)
from anabranch.service.store.programs import Program, list_alive
from anabranch.service.store.sql.database import Database, sqlite_file
from anabranch.service.store.sql.faults import waited_for_lock
from anabranch.service.store.sql.revisions import Revision, config, knows, newest, revisions

__all__ = ["Schema", "check", "config", "read", "upgrade"]

LOCK_TIMEOUT = "2s"
"""A migration that waits for a lock makes all others wait behind it: rather it fails soon, and is tried again."""
LOCK_PATIENCE_SECONDS = 120.0
LOCK_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a database says of its schema."""

    revision: str | None
    """None where there is none yet."""
    usable_from: str | None
    """The oldest program that can use it."""

    @property
    def missing(self) -> tuple[Revision, ...]:
        """What this program knows and the database lacks, oldest first."""
        if self.revision is not None and not knows(self.revision):
            return ()
        return tuple(one for one in revisions() if self.revision is None or one.name > self.revision)

    @property
    def newer(self) -> bool:
        """A newer program has migrated it."""
        return self.revision is not None and not knows(self.revision)

    def require_usable(self) -> None:
        """Raises SchemaBehind or SchemaAhead where this program cannot use it. A contraction is not needed: programs
        that come with it work before and after it."""
        self.require_known()
        if any(not one.contracts for one in self.missing):
            raise SchemaBehind(self.revision, newest())

    def require_known(self) -> None:
        """Raises SchemaAhead where only newer programs can use it."""
        if self.revision is not None and self.usable_from is not None and not knows(self.usable_from):
            raise SchemaAhead(self.revision, self.usable_from, newest())


async def upgrade(url: str, applied: Callable[[Revision], None] = lambda _: None) -> Schema:
    """Applies the migrations that the database lacks, and tells of each; several processes may do so at once.

    Raises SchemaAhead, StoreAway, and ContractionRefused where a program lives that needs what would be taken away:
    what comes before is applied then.
    """
    database = Database(url)
    try:
        while (step := await _apply_next(database)) is not None:
            applied(step)
        return await database.read(_read)
    finally:
        await database.close()


async def check(url: str) -> Schema:
    """Raises SchemaBehind or SchemaAhead if this program cannot use the database's schema, NoDatabase if there is no
    such file, StoreAway if the database is away."""
    schema, _ = await read(url)
    schema.require_usable()
    return schema


async def read(url: str) -> tuple[Schema, Sequence[Program]]:
    """What the database says of its schema, and which programs work on it now. Raises NoDatabase and StoreAway."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise NoDatabase(file)
    database = Database(url)
    try:
        return await database.read(lambda connection: (_read(connection), list_alive(connection)))
    finally:
        await database.close()


async def _apply_next(database: Database) -> Revision | None:
    """Applies one migration, as soon as nobody holds the tables that it changes; None if there is none to apply."""
    give_up = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            return await database.migrate(_step)
        except StoreAway as away:
            if not waited_for_lock(away) or time.monotonic() > give_up:
                raise
        await asyncio.sleep(LOCK_PAUSE_SECONDS)


def _step(connection: Connection) -> Revision | None:
    schema = _read(connection)
    schema.require_known()
    if not schema.missing:
        return None
    step = schema.missing[0]
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text("SET statement_timeout = 0"))
    _remember(connection, schema.revision, max(step.usable_from, schema.usable_from or ""))
    _commit(connection)
    if step.contracts:
        _refuse_while_needed(connection, schema, step)
    command.upgrade(config(connection), step.name)
    return step


def _refuse_while_needed(connection: Connection, schema: Schema, step: Revision) -> None:
    """The database says already who may use it: a program that starts from now on sees that, or is seen here."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("LOCK TABLE programs IN SHARE MODE")
        )  # waits for those that register just now
    too_old = [program for program in list_alive(connection) if program.revision < step.usable_from]
    _commit(connection)
    if too_old:
        _remember(connection, schema.revision, schema.usable_from or "")
        _commit(connection)
        raise ContractionRefused(step.name, step.usable_from, [program.in_words() for program in too_old])


def _commit(connection: Connection) -> None:
    """Makes what was said so far visible to others. An SQLite file has one writer: nobody else could act on it."""
    if connection.dialect.name == "postgresql":
        connection.commit()


def _read(connection: Connection) -> Schema:
    tables = inspect(connection)
    usable_from = _only(connection, "alembic_version") if tables.has_table("alembic_version") else None
    if not tables.has_table("schema_version"):  # a program of ALWAYS or before made it
        return Schema(revision=usable_from, usable_from=usable_from)
    return Schema(revision=_only(connection, "schema_version"), usable_from=usable_from)


def _remember(connection: Connection, revision: str | None, usable_from: str) -> None:
    for table, said in (("schema_version", revision), ("alembic_version", usable_from)):
        column = f"version_num VARCHAR(32) NOT NULL CONSTRAINT {table}_pkc PRIMARY KEY"
        connection.execute(text(f"CREATE TABLE IF NOT EXISTS {table} ({column})"))
        connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - both names stand above
        if said is not None:
            connection.execute(text(f"INSERT INTO {table} VALUES (:said)"), {"said": said})  # noqa: S608


def _only(connection: Connection, table: str) -> str | None:
    found: str | None = connection.execute(text(f"SELECT version_num FROM {table}")).scalar_one_or_none()  # noqa: S608
    return found
