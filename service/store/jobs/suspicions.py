"""Stores which jobs their organizers were computing when they were lost: the evidence by which a job is found to be
poison.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import exists, insert, literal, select

from anabranch.dag.ids import JobId
from anabranch.service.store.sql.clock import now
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import jobs, suspicions


class Loss(StrEnum):
    """What became of an organizer while it computed a job."""

    HELD = "held"
    """One step took longer than an organizer may stand still."""
    ENDED = "ended"
    """Its process ended in the middle of a step."""
    BROKE = "broke"
    """The job's run raised an exception; the organizer itself went on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A claim under which a job's computing cost its organizer, or its run."""

    epoch: int
    head_seq: int
    """The last event that the journal had."""
    owner: str
    reason: Loss
    at: datetime


class Suspicions(Repository):
    async def record(self, job: JobId, epoch: int, reason: Loss) -> None:
        """Records that this claim's organizer was lost while it computed the job; once for each claim, and only as long
        as nobody has claimed the job anew. Raises StoreAway."""
        known = exists().where(suspicions.c.job_id == jobs.c.id, suspicions.c.epoch == jobs.c.epoch)
        row = select(
            jobs.c.id, jobs.c.epoch, jobs.c.head_seq, jobs.c.lease_owner, literal(reason.value), now()
        ).where(jobs.c.id == job, jobs.c.epoch == epoch, jobs.c.lease_owner.is_not(None), ~known)
        recorded = insert(suspicions).from_select(list(suspicions.c), row)
        await self._database.write(lambda connection: connection.execute(recorded))

    async def list_against(self, job: JobId) -> list[Suspicion]:
        """All that is held against the job, oldest first. Raises StoreAway."""
        found = select(suspicions).where(suspicions.c.job_id == job).order_by(suspicions.c.epoch)
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return [
            Suspicion(
                epoch=row.epoch, head_seq=row.head_seq, owner=row.owner, reason=Loss(row.reason), at=row.at
            )
            for row in rows
        ]
