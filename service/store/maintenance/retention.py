"""Old jobs go; that they were there, and how their journals ended, stays."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, literal, select

from anabranch.dag.status import TERMINAL, JobStatus
from anabranch.service.store.sql.columns import UtcTime
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import jobs, purged, spans

AT_ONCE = 200
"""Jobs per transaction, so that a purge never holds up the organizers for long."""


class Retention(Repository):
    async def purge(self, before: datetime, statuses: Sequence[JobStatus] = TERMINAL) -> int:
        """Deletes the jobs that ended before this moment in one of these statuses, with all that belongs to them.

        The table `purged` keeps each journal's last seq and hash: an export made earlier can still be verified against
        them. Returns how many went. Raises StoreAway; what was purged by then stays purged.
        """
        gone = 0
        while count := await self._purge_some(before, statuses):
            gone += count
        return gone

    async def _purge_some(self, before: datetime, statuses: Sequence[JobStatus]) -> int:
        oldest = (
            select(jobs.c.id)
            .where(jobs.c.finished_at < before, jobs.c.status.in_(statuses))
            .order_by(jobs.c.finished_at)
            .limit(AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        heads = select(jobs.c.id, jobs.c.head_seq, jobs.c.head_hash, literal(self._now(), UtcTime()))

        def work(connection: Connection) -> int:
            ids = connection.execute(oldest).scalars().all()
            if ids:
                these = jobs.c.id.in_(ids)
                connection.execute(insert(purged).from_select(list(purged.c), heads.where(these)))
                connection.execute(delete(spans).where(spans.c.job_id.in_(ids)))
                connection.execute(delete(jobs).where(these))  # and with them all that refers to them
            return len(ids)

        return await self._database.write(work)
