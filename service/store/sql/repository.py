"""Holds what all parts of the store have."""

from collections.abc import Callable
from datetime import UTC, datetime

from anabranch.service.store.sql.database import Database


def utc_now() -> datetime:
    return datetime.now(UTC)


class Repository:
    """A group of the store's methods."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now
