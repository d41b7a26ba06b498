"""Holds a job that an organizer has claimed, and saves the text that is being decoded in such jobs."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from anabranch.dag.ids import JobId
from anabranch.service.organizer.job_run import JobRun
from anabranch.service.store.journal.checkpoints import Checkpoints
from anabranch.service.store.rows import Claim


@dataclass(slots=True, eq=False)
class HeldJob:
    """A job in an organizer's hands."""

    claim: Claim
    run: JobRun | None = None
    task: asyncio.Task[None] | None = None

    def drop(self) -> None:
        if self.task is not None:
            self.task.cancel()


async def save_texts(
    checkpoints: Checkpoints, held_jobs: Mapping[JobId, HeldJob], *, everything: bool
) -> None:
    """Saves text that is being decoded, so that a successor need not decode it again: what is due, or everything.

    Raises StoreAway."""
    for job, held in tuple(held_jobs.items()):
        saved = held.run.checkpoints(everything=everything) if held.run is not None else ()
        if saved:
            await checkpoints.save(job, saved)
