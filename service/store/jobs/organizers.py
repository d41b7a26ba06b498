"""Stores where organizers are reached by the link, each until its own heartbeat should have come again."""

from collections.abc import Mapping

from sqlalchemy import Connection, Delete, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from anabranch.service.store import programs
from anabranch.service.store.sql.clock import later, now
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import organizers

FORGET_SECONDS = 3600.0
"""After which the row of an organizer that nobody has seen end is deleted."""


class Organizers(Repository):
    """The organizers that live, by name."""

    async def list(self) -> Mapping[str, str]:
        """Reads the address of each that can be reached. Raises StoreAway."""
        alive = select(organizers.c.name, organizers.c.address).where(organizers.c.expires > now())
        rows = await self._database.read(lambda connection: connection.execute(alive).all())
        return {row.name: row.address for row in rows}

    async def remove(self, name: str) -> None:
        """Deletes an organizer that ends, and those that ended long ago. Raises StoreAway."""
        ended = delete(organizers).where(
            (organizers.c.name == name) | (organizers.c.expires < later(-FORGET_SECONDS))
        )

        def work(connection: Connection) -> None:
            connection.execute(ended)
            connection.execute(programs.removal(name))

        await self._database.write(work)


def renew(connection: Connection, name: str, address: str, seconds: float) -> None:
    """Writes that this organizer is reached there, for so many seconds from now."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = dialect.insert(organizers).values(name=name, address=address, expires=later(seconds))
    told = {"address": row.excluded.address, "expires": row.excluded.expires}
    connection.execute(row.on_conflict_do_update(index_elements=[organizers.c.name], set_=told))


def removal(name: str) -> Delete:
    """The statement that deletes an organizer that was lost."""
    return delete(organizers).where(organizers.c.name == name)
