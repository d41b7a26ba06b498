"""Tells faults of a database apart: it is away, it refuses whoever asks, or the statement is wrong."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from anabranch.service.store.errors import StoreAway, StoreRefuses

_AWAY_IN_POSTGRES = ("08", "40", "53", "55", "57", "58")
"""SQLSTATE classes that another try may cure: connection, rollback, resources, state, operator, system."""

_REFUSED_IN_POSTGRES = ("28", "3D")
"""SQLSTATE classes of who is not let in, or names no database."""

_LOCK_NOT_AVAILABLE = "55P03"

_AWAY_IN_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}


def is_away(error: BaseException) -> bool:
    """Whether the database, not the statement, is at fault, so that trying again may help."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError | PoolTimeout)
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _AWAY_IN_SQLITE
    state = getattr(error.orig, "sqlstate", None)
    return str(state).startswith(_AWAY_IN_POSTGRES) if state else error.connection_invalidated


def _refuses(error: BaseException) -> bool:
    """Whether what the URL names is no database, or one that does not let this program in."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB
    return str(getattr(cause, "sqlstate", None)).startswith(_REFUSED_IN_POSTGRES)


def waited_for_lock(error: StoreAway) -> bool:
    """Whether PostgreSQL gave up waiting for a lock."""
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE


@contextmanager
def raise_store_away() -> Iterator[None]:
    """Turns whatever a driver says when it cannot reach its database into StoreAway; when that is none, or lets nobody
    in, into StoreRefuses, which is one, too."""
    try:
        yield
    except Exception as error:
        if is_away(error):
            raise StoreAway(error) from error
        if _refuses(error):
            raise StoreRefuses(getattr(error, "orig", None) or error) from error
        raise
