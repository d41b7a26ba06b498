"""Holds a job that an organizer has claimed, saves the text that is being decoded in such jobs, and finds claims that
nobody holds.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from anabranch.dag.ids import JobId
from anabranch.service.organizer.job.run import JobRun
from anabranch.service.store.jobs.queue import Queue
from anabranch.service.store.journal.checkpoints import Checkpoints
from anabranch.service.store.rows import Claim, LeaseState


@dataclass(slots=True, eq=False)
class HeldJob:
    """A job in an organizer's hands."""

    claim: Claim
    run: JobRun | None = None
    task: asyncio.Task[None] | None = None

    def drop(self) -> None:
        if self.task is not None:
            self.task.cancel()


@dataclass(frozen=True, slots=True)
class Room:
    """How many jobs an organizer that may hold `most` and holds `held` takes at once. Batches' jobs get no more than
    one half of the room, so that all others find some."""

    most: int
    held: int

    @property
    def for_batches(self) -> bool:
        return self.held < self.most - self.most // 2

    @property
    def at_once(self) -> int:
        free = self.most - self.held
        return free - self.most // 2 if self.for_batches else free


class Strays:
    """Claims under this organizer's name that nothing here works on: the answer to a claim was lost, or a release
    failed. One that was a stray at the last heartbeat, too, is given back."""

    def __init__(self) -> None:
        self._last: set[tuple[JobId, int]] = set()

    async def free(
        self, queue: Queue, known: Mapping[JobId, LeaseState], held: Mapping[JobId, HeldJob]
    ) -> None:
        """Looks at what the store has under this name. Raises StoreAway."""
        strays = {(job, news.epoch) for job, news in known.items() if job not in held}
        for job, epoch in strays & self._last:
            await queue.release(job, epoch, 0.0)
        self._last = strays - self._last


async def save_texts(
    checkpoints: Checkpoints, held_jobs: Mapping[JobId, HeldJob], *, everything: bool
) -> None:
    """Saves text that is being decoded, so that a successor need not decode it again: what is due, or everything.

    Raises StoreAway."""
    for job, held in tuple(held_jobs.items()):
        saved = held.run.checkpoints(everything=everything) if held.run is not None else ()
        if saved:
            await checkpoints.save(job, saved)
