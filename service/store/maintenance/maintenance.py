"""Maintains whole journals: audited, folded anew, imported, packed, purged. All methods raise StoreAway."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import select

from anabranch.dag.ids import JobId
from anabranch.dag.status import TERMINAL, JobStatus
from anabranch.service.store.batches.retention import purge_batches
from anabranch.service.store.maintenance.audits import Audit, audit, rebuild
from anabranch.service.store.maintenance.imports import insert_journal, verify_lines
from anabranch.service.store.maintenance.packing import pack_some
from anabranch.service.store.maintenance.retention import purge_some
from anabranch.service.store.maintenance.steps import FIRST_COUNT, next_count
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
        gone = await self._do_in_steps(partial(purge_some, before=before, statuses=statuses, at=self._now()))
        await self._database.write(partial(purge_batches, before=before))
        return gone

    async def pack(self, before: datetime) -> int:
        """Packs the journals of the jobs that ended before this moment: they take a quarter of the room, and are
        read as before.

        Returns how many packs were made or tried, one for each run of a journal's links; what was packed when StoreAway
        is raised stays packed. Raises OlderAtWork.
        """
        return await self._do_in_steps(partial(pack_some, before=before))

    async def _do_in_steps(self, work: Callable[..., int]) -> int:
        """Does this work on some jobs after others, until it finds none; returns how many it found."""
        done, count = 0, FIRST_COUNT
        began = time.perf_counter()
        while found := await self._database.write(partial(work, count=count)):
            done += found
            count = next_count(count, time.perf_counter() - began)
            began = time.perf_counter()
        return done
