"""Serialises check-then-write transactions by an advisory lock."""

from sqlalchemy import Connection, func, select


def advisory_lock(connection: Connection, what: str) -> None:
    """Waits until no other transaction is at the same thing. On SQLite all writers take turns anyway."""
    if connection.dialect.name == "postgresql":
        # A statement of its own: what comes after it sees all that was committed while it waited.
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(what, 0))))
