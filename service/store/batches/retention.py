"""Deletes old batches with their results, and old files that no batch reads."""

from datetime import datetime

from sqlalchemy import Connection, delete

from anabranch.service.store.batches.files import in_use
from anabranch.service.store.batches.tables import batches, files


def purge_batches(connection: Connection, before: datetime) -> None:
    """Deletes the batches that ended before this moment, and the files that came before it and are not in use."""
    connection.execute(delete(batches).where(batches.c.ended_at < before))
    connection.execute(delete(files).where(files.c.created_at < before, ~in_use()))
