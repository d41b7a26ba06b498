"""Stores the keys of those who may call the service. All methods raise StoreAway.

A key is long and random, so its plain SHA-256 gives nothing away, and only that is stored. Its name is how it begins:
people name it by that, and it tells nothing of the rest. A key counts from when it is made until it expires or is
revoked, by the database's clock; its row stays, so that it is known which keys there were.
"""

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, update

from anabranch.service.store.errors import NotFound, StoreError
from anabranch.service.store.sql.clock import later, now
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import keys

PREFIX = "ab-"
NAME_BYTES = 4
SECRET_BYTES = 32
LONGEST_NAME = 100
"""Of a tenant, in characters."""


class BadKey(StoreError):
    """No such key can be made: its tenant has no name, or it would have ended before it began."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}. Nothing was written.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What a key is to open. Raises BadKey: a first key that opens nothing would lock a service for all."""

    tenant: str
    roles: Sequence[str]
    operator: bool = False
    """Sees all tenants."""
    seconds: float | None = None
    """Until it expires. None: never."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tenant", tenant_name(self.tenant))
        if self.seconds is not None and not self.seconds > 0:
            raise BadKey("A key that expires the moment it is made opens nothing: let it live, such as 90d")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key as it stands."""

    name: str
    tenant: str
    roles: Sequence[str]
    operator: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeKey:
    """A new key, in the only moment in which it is known."""

    key: str = field(repr=False)
    row: KeyRow


class NotOneKey(StoreError):
    """What was told as a key's name is how several begin."""

    def __init__(self, told: str, names: Sequence[str]) -> None:
        super().__init__(
            f"Several keys begin with {told!r}: {', '.join(names)}. Nothing was written; name one."
        )


class KeyEnded(StoreError):
    """The key has expired or was revoked: it cannot be rotated."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Key {name} has ended; nothing was written. Make a new one: `anabranch keys new TENANT`."
        )


_ALIVE = and_(keys.c.revoked_at.is_(None), or_(keys.c.expires_at.is_(None), keys.c.expires_at > now()))


class Keys(Repository):
    """The keys of one database."""

    async def make(self, new: NewKey) -> MadeKey:
        """Makes a key, which only the caller then knows."""
        return await self._database.write(lambda connection: _make(connection, new))

    async def list(self) -> Sequence[KeyRow]:
        """All that there ever were, by tenant, the newest first."""
        wanted = select(keys).order_by(keys.c.tenant, keys.c.created_at.desc(), keys.c.name)
        rows = await self._database.read(lambda connection: connection.execute(wanted).mappings().all())
        return [_row(row) for row in rows]

    async def find(self, digests: Collection[str]) -> Mapping[str, KeyRow]:
        """Those of these keys that count now, by digest."""
        wanted = select(keys).where(keys.c.digest.in_(digests), _ALIVE)
        rows = await self._database.read(lambda connection: connection.execute(wanted).mappings().all())
        return {row["digest"]: _row(row) for row in rows}

    async def any(self) -> bool:
        """Whether there ever was a key."""
        wanted = select(keys.c.name).limit(1)
        return await self._database.read(lambda connection: connection.execute(wanted).first() is not None)

    async def any_alive(self, tenant: str) -> bool:
        """Whether a key of this tenant counts now."""
        wanted = select(keys.c.name).where(keys.c.tenant == tenant, _ALIVE).limit(1)
        return await self._database.read(lambda connection: connection.execute(wanted).first() is not None)

    async def revoke(self, told: str) -> KeyRow:
        """Ends a key at once. Idempotent. Raises NotFound and NotOneKey."""

        def work(connection: Connection) -> KeyRow:
            row = _named(connection, told)
            this = keys.c.name == row.name
            connection.execute(update(keys).where(this, keys.c.revoked_at.is_(None)).values(revoked_at=now()))
            return _read(connection, row.name)

        return await self._database.write(work)

    async def rotate(self, told: str, grace_seconds: float, seconds: float | None = None) -> MadeKey:
        """Makes a key that opens the same, and lets the old one end after so many seconds, or as it would have, if
        that is sooner.

        The new one lives `seconds`, or, where that is not given, as long as the old one was to live. Raises NotFound,
        NotOneKey and KeyEnded.
        """

        def work(connection: Connection) -> MadeKey:
            row = _named(connection, told)
            this = keys.c.name == row.name
            if connection.execute(select(keys.c.name).where(this, _ALIVE)).first() is None:
                raise KeyEnded(row.name)
            sooner = or_(keys.c.expires_at.is_(None), keys.c.expires_at > later(grace_seconds))
            connection.execute(update(keys).where(this, sooner).values(expires_at=later(grace_seconds)))
            lives = None if row.expires_at is None else (row.expires_at - row.created_at).total_seconds()
            new = NewKey(
                tenant=row.tenant,
                roles=row.roles,
                operator=row.operator,
                seconds=lives if seconds is None else seconds,
            )
            return _make(connection, new)

        return await self._database.write(work)


def tenant_name(told: str) -> str:
    """A tenant's name without the blanks around it. Raises BadKey for what cannot be read in a list."""
    name = told.strip()
    if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise BadKey(f"A tenant's name is 1 to {LONGEST_NAME} printable characters")
    return name


def draw_key() -> str:
    """A new key: the name that it begins with, then the secret."""
    return f"{PREFIX}{secrets.token_hex(NAME_BYTES)}-{secrets.token_urlsafe(SECRET_BYTES)}"


def name_of(key: str) -> str:
    """How a key is named: the beginning of it."""
    return key[: len(PREFIX) + 2 * NAME_BYTES]


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def _make(connection: Connection, new: NewKey) -> MadeKey:
    key = draw_key()
    name = name_of(key)
    row = {
        "name": name,
        "tenant": new.tenant,
        "digest": digest(key),
        "roles": list(new.roles),
        "operator": new.operator,
        "created_at": now(),
        "expires_at": None if new.seconds is None else later(new.seconds),
    }
    connection.execute(insert(keys).values(row))
    return MadeKey(key=key, row=_read(connection, name))


def _named(connection: Connection, told: str) -> KeyRow:
    """The key that is called so, or begins so, or is it. Raises NotFound and NotOneKey."""
    start = name_of(told)
    wanted = select(keys).where(keys.c.name.startswith(start, autoescape=True)).order_by(keys.c.name)
    rows = [_row(row) for row in connection.execute(wanted).mappings()] if start else []
    if not rows:
        raise NotFound("key", repr(start))
    if len(rows) > 1:
        raise NotOneKey(start, [row.name for row in rows])
    return rows[0]


def _read(connection: Connection, name: str) -> KeyRow:
    return _row(connection.execute(select(keys).where(keys.c.name == name)).mappings().one())


def _row(row: RowMapping) -> KeyRow:
    return KeyRow(**{name: row[name] for name in KeyRow.__dataclass_fields__})
