"""Deletes old jobs; keeps a tombstone with the last seq and head hash."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, literal, select

from anabranch.dag.status import JobStatus
from anabranch.service.store.sql.columns import UtcTime
from anabranch.service.store.sql.tables import jobs, purged, spans


def purge_some(
    connection: Connection, count: int, before: datetime, statuses: Sequence[JobStatus], at: datetime
) -> int:
    """Deletes the `count` oldest of the jobs that ended before this moment; returns how many it found."""
    # With "" behind it no index of the status fits: along one, all ended jobs would be read and sorted each time.
    oldest = (
        select(jobs.c.id)
        .where(jobs.c.finished_at < before, jobs.c.status.concat("").in_(statuses))
        .order_by(jobs.c.finished_at)
        .limit(count)
        .with_for_update(skip_locked=True)
    )
    ids = connection.execute(oldest).scalars().all()
    if ids:
        these = jobs.c.id.in_(ids)
        heads = select(jobs.c.id, jobs.c.head_seq, jobs.c.head_hash, literal(at, UtcTime())).where(these)
        connection.execute(insert(purged).from_select(list(purged.c), heads))
        connection.execute(delete(spans).where(spans.c.job_id.in_(ids)))
        connection.execute(delete(jobs).where(these))  # and with them all that refers to them
    return len(ids)
