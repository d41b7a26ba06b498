"""Waits with a client for the end of its job, and notices when the client goes away.

Who goes away before the end cancels the job, unless somebody else may still ask for it: another who follows it, or
whoever can find it again.
"""

import asyncio
from collections.abc import Coroutine, Sequence

from fastapi import Request

from anabranch.service.api.auth import has_ended
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import AWAY_SECONDS
from anabranch.service.api.live.news import wait_until_over
from anabranch.service.api.problems import Refused, stopping
from anabranch.service.api.views.job import JobView, job_view
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.rows import BranchRow, JobRow

LOOK_SECONDS = 1.0
"""How soon a client that went away is noticed; one that streams is at once."""
CLIENT_CLOSED = 499
_ERRANDS: set[asyncio.Task[None]] = set()


class Waiting:
    """A client that waits for a job. `findable`: it may ask for the job again, so the job outlives its leaving."""

    def __init__(self, deps: Dependencies, job: JobRow, *, findable: bool) -> None:
        """`job` as it was last read."""
        self._deps = deps
        self._row = job
        self._job = job.id
        self._findable = findable
        self.sources: Sequence[BranchRow] | None = None
        """The branches that the answer was made from, once the job was read that has one."""

    async def await_end(self, request: Request) -> JobView | None:
        """The job when it has ended, also over a store that goes away: the job was accepted, and a client that is told
        of a failure asks for another. None when its client went away. Raises Refused when the service stops before."""
        row = self._row
        # It follows all the time, so that others who wait see that this one does.
        with self._deps.feed.follow(self._job):
            while row.finished_at is None:
                if await request.is_disconnected():
                    await self._leave(others=self._deps.feed.followers(self._job) - 1)
                    return None
                stops = self._deps.feed.stopping
                try:
                    await wait_until_over(self._deps.feed, self._job, row.head_seq, LOOK_SECONDS)
                    row, self.sources = await self._deps.store.jobs.get_answered(self._job)
                except StoreAway:
                    await asyncio.sleep(AWAY_SECONDS)
                if stops and row.finished_at is None:
                    raise Refused(stopping(self._job))
        return job_view(row) if self.sources is not None else await self.read()

    async def read(self) -> JobView:
        row, self.sources = await self._deps.store.jobs.get_answered(self._job)
        return job_view(row)

    def leave_apart(self, request: Request) -> None:
        """For a generator that is perhaps being thrown away: whatever is still to be done, others must do."""
        _run_apart(self._leave_if_gone(request))

    async def _leave_if_gone(self, request: Request) -> None:
        """It was the client that went: to a request that this server has ended, its client seems to be gone, too."""
        if not has_ended(request) and await request.is_disconnected():
            await self._leave(others=self._deps.feed.followers(self._job))

    async def _leave(self, *, others: int) -> None:
        if self._findable or others > 0:
            return
        await self._deps.store.jobs.request_cancel(self._job, "the client went away")
        self._deps.organizers.nudge(self._job)


def _run_apart(errand: Coroutine[None, None, None]) -> None:
    task = asyncio.create_task(errand)
    _ERRANDS.add(task)
    task.add_done_callback(_ERRANDS.discard)
