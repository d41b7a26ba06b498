"""Stores who runs jobs: organizers, where each is reached by the link and how busy its pools are, until its own
heartbeat should have come again; and their generations.

A **generation** is the organizers of one Ray cluster, numbered when the first of them comes. An upgrade that brings a
new cluster up beside the old one makes a new generation, and only one of them takes jobs: the newest that is *ready*,
which is to say that a model answers there, or else the newest that lives. The others hand over what they have and wait;
should the newest go away, or lose its replicas, the one before it goes on. Nobody needs to tell them. Organizers
without a generation, those of `anabranch up`, always work.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Delete, Row, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from anabranch.service.store import programs
from anabranch.service.store.sql.advisory_lock import advisory_lock
from anabranch.service.store.sql.clock import later, now
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import generations, organizers
from anabranch.workers.pool.protocol import PoolLoad

FORGET_SECONDS = 3600.0
"""After which the row of an organizer that nobody has seen end is deleted."""
NO_LOAD = PoolLoad(replicas=0, decoding=0, capacity=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What an organizer tells of itself with each heartbeat."""

    address: str
    """Where it is reached by the link."""
    generation: int | None = None
    ready: bool = True
    """A model answers in its pools."""
    load: PoolLoad = NO_LOAD


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizerRow:
    """An organizer that lives."""

    name: str
    address: str
    generation: int | None = None
    ready: bool = False
    started: datetime | None = None
    """None of one from before this was told."""
    load: PoolLoad | None = None
    """How busy its pools were at its last heartbeat."""


class Organizers(Repository):
    """The organizers that live, by name."""

    async def list(self) -> Mapping[str, OrganizerRow]:
        """Reads all that can be reached. Raises StoreAway."""
        alive = select(organizers).where(organizers.c.expires > now())
        rows = await self._database.read(lambda connection: connection.execute(alive).all())
        return {row.name: _organizer(row) for row in rows}

    async def remove(self, name: str) -> None:
        """Deletes an organizer that ends, and those that ended long ago. Raises StoreAway."""
        ended = delete(organizers).where(
            (organizers.c.name == name) | (organizers.c.expires < later(-FORGET_SECONDS))
        )

        def work(connection: Connection) -> None:
            connection.execute(ended)
            connection.execute(programs.removal(name))

        await self._database.write(work)

    async def join_generation(self, name: str) -> int:
        """Gives the number of the generation of this name, a new one where nobody has asked for it before. Raises
        StoreAway."""
        known = select(generations.c.number).where(generations.c.name == name)
        new = insert(generations).values(name=name, started=now()).returning(generations.c.number)

        def work(connection: Connection) -> int:
            advisory_lock(connection, "generations")
            number = connection.execute(known).scalar_one_or_none()
            return int(connection.execute(new).scalar_one() if number is None else number)

        return await self._database.write(work)

    async def find_active_generation(self) -> int | None:
        """Reads which generation is to take jobs; None while there is none. Raises StoreAway."""
        first = (
            select(organizers.c.generation)
            .where(organizers.c.expires > now(), organizers.c.generation.is_not(None))
            .order_by(organizers.c.ready.desc(), organizers.c.generation.desc())
            .limit(1)
        )
        return await self._database.read(lambda connection: connection.execute(first).scalar_one_or_none())


def renew(connection: Connection, name: str, presence: Presence, seconds: float) -> None:
    """Writes that this organizer lives, for so many seconds from now."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    told = {
        "address": presence.address,
        "generation": presence.generation,
        "ready": presence.ready,
        "load": asdict(presence.load),
        "expires": later(seconds),
    }
    row = dialect.insert(organizers).values(name=name, started=now(), **told)
    again = {column: row.excluded[column] for column in told}
    connection.execute(row.on_conflict_do_update(index_elements=[organizers.c.name], set_=again))


def removal(name: str) -> Delete:
    """The statement that deletes an organizer that was lost."""
    return delete(organizers).where(organizers.c.name == name)


def _organizer(row: Row[Any]) -> OrganizerRow:
    started: datetime | None = row.started
    return OrganizerRow(
        name=row.name,
        address=row.address,
        generation=row.generation,
        ready=row.ready,
        started=started,
        load=None if row.load is None else _load(row.load),
    )


def _load(told: Mapping[str, Any]) -> PoolLoad:
    """Of a release that tells more, what this one knows."""
    known = {name: told[name] for name in PoolLoad.__dataclass_fields__ if name in told}
    if "pools" in known:
        known["pools"] = {pool: _load(load) for pool, load in known["pools"].items()}
    return PoolLoad(**known)
