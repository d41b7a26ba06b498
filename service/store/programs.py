"""Stores which programs work on this database: organizers and REST processes, each until it should have been heard of
again.

A migration that takes something away looks here for programs that need it (`sql/schema.py`).
"""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Delete, delete, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite

from anabranch.service.store.errors import SchemaAhead, StoreAway
from anabranch.service.store.sql.clock import later, now
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.revisions import ALWAYS, knows, newest, release
from anabranch.service.store.sql.tables import organizers, programs

RENEW_SECONDS = 5.0
ALIVE_SECONDS = 20.0
"""How long a REST process counts as alive after it was last heard of; an organizer, as long as its leases."""
FORGET_SECONDS = 3600.0
logger = logging.getLogger(__name__)


class Role(StrEnum):
    """What a program does here."""

    ORGANIZER = "organizer"
    API = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A process that works on the database."""

    name: str
    role: str
    release: str
    revision: str
    """The newest revision of the schema that it knows."""

    def in_words(self) -> str:
        return f"{self.role} {self.name} (Anabranch {self.release}, schema {self.revision})"


def this_program(role: Role, name: str | None = None) -> Program:
    """This process, as others see it."""
    name = name or f"{socket.gethostname()}/{os.getpid()}"
    return Program(name=name, role=role, release=release(), revision=newest())


class Programs(Repository):
    """The programs that live."""

    async def list(self) -> Sequence[Program]:
        """Reads all that live. Raises StoreAway."""
        return await self._database.read(list_alive)

    async def keep(self, program: Program) -> None:
        """Renews a program's row until this is cancelled; its row is deleted then. While the store is away it waits."""
        try:
            while True:
                try:
                    await self._database.write(lambda connection: renew(connection, program, ALIVE_SECONDS))
                except StoreAway as error:
                    logger.warning("this program's sign of life waits: %s", error)
                except SchemaAhead as error:
                    logger.error("this program cannot go on: %s", error)  # noqa: TRY400 - no trace is needed
                await asyncio.sleep(RENEW_SECONDS)
        finally:
            with suppress(StoreAway):  # or it is believed to live until its row expires
                await self.remove(program.name)

    async def remove(self, name: str) -> None:
        """Deletes the row of a program that ends, and of those that ended long ago. Raises StoreAway."""
        ended = delete(programs).where(
            (programs.c.name == name) | (programs.c.expires < later(-FORGET_SECONDS))
        )
        await self._database.write(lambda connection: connection.execute(ended))


def renew(connection: Connection, program: Program, seconds: float) -> None:
    """Writes that this program lives, for so many seconds from now. Raises SchemaAhead if the schema has lost what it
    needs: a migration that takes something away says so before it looks who lives."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = dialect.insert(programs).values(
        name=program.name,
        role=program.role,
        release=program.release,
        revision=program.revision,
        expires=later(seconds),
    )
    connection.execute(
        row.on_conflict_do_update(index_elements=[programs.c.name], set_={"expires": row.excluded.expires})
    )
    usable_from = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    if not knows(usable_from):
        raise SchemaAhead(None, usable_from, newest())


def removal(name: str) -> Delete:
    """The statement that deletes a program that was lost."""
    return delete(programs).where(programs.c.name == name)


def list_alive(connection: Connection) -> list[Program]:
    """Reads which programs live; of organizers from before they told their release, that they do."""
    found = inspect(connection)
    alive: list[Program] = []
    if found.has_table("programs"):
        living = select(programs).where(programs.c.expires > now()).order_by(programs.c.role, programs.c.name)
        alive += [
            Program(name=row.name, role=row.role, release=row.release, revision=row.revision)
            for row in connection.execute(living)
        ]
    if found.has_table("organizers"):
        told = [program.name for program in alive]
        silent = select(organizers.c.name).where(organizers.c.expires > now(), organizers.c.name.not_in(told))
        alive += [
            Program(name=row.name, role=Role.ORGANIZER, release="of before", revision=ALWAYS)
            for row in connection.execute(silent)
        ]
    return alive
