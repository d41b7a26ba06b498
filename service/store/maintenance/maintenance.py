"""Maintains whole journals: audited, folded anew, imported, purged. All methods raise StoreAway."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import select

from anabranch.dag.ids import JobId
from anabranch.dag.status import TERMINAL, JobStatus
from anabranch.service.store.batches.retention import purge_batches
from anabranch.service.store.maintenance.audits import Audit, audit, rebuild
from anabranch.service.store.maintenance.imports import insert_journal, verify_lines
from anabranch.service.store.maintenance.retention import FIRST_COUNT, next_count, purge_some
from anabranch.service.store.rows import JobRow
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import jobs


class Maintenance(Repository):
    """What operators do to the journals of one database."""

    async def audit(self, job: JobId) -> Audit:
        """Verifies the job's hash chain, and that the tables hold what folds from its journal.

        Raises NotFound and UnreadableFormat.
        """
        return await self._database.snapshot(partial(audit, job=job))

    async def rebuild_projections(self, job: JobId | None = None) -> int:
        """Folds the journal of this job, or of all, into the tables anew; returns how many jobs that were.

        Decisions that wait to be journaled stay. Raises NotFound and UnreadableFormat.
        """
        if job is not None:
            await self._database.write(partial(rebuild, job=job))
            return 1
        every = select(jobs.c.id).order_by(jobs.c.id)
        ids = await self._database.read(lambda connection: connection.execute(every).scalars().all())
        for each in ids:
            await self._database.write(partial(rebuild, job=JobId(each)))
        return len(ids)

    async def import_journal(self, lines: Iterable[str], tenant: str = "default") -> JobRow:
        """Imports the ended job whose export in JSON lines this is; it is this tenant's from now on.

        One that was purged here must end as it did then. What an export does not hold is made anew: metrics from the
        journal, the trace's id from the job's. Raises BadJournal, JobExists and UnreadableFormat.
        """
        journal = verify_lines(lines)
        return await self._database.write(partial(insert_journal, journal=journal, tenant=tenant))

    async def purge(self, before: datetime, statuses: Sequence[JobStatus] = TERMINAL) -> int:
        """Deletes the jobs that ended before this moment in one of these statuses, with all that belongs to them; then
        the batches and files of that time.

        The table `purged` keeps each journal's last seq and hash: an export made earlier can still be verified against
        them. Returns how many went; what was purged when StoreAway is raised stays purged.
        """
        gone, count = 0, FIRST_COUNT
        work = partial(purge_some, before=before, statuses=statuses, at=self._now())
        began = time.perf_counter()
        while found := await self._database.write(partial(work, count=count)):
            gone += found
            count = next_count(count, time.perf_counter() - began)
            began = time.perf_counter()
        await self._database.write(partial(purge_batches, before=before))
        return gone
