"""Limits how many decodes one replica takes at once, and picks who is next when it is full."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from anabranch.dag.job import BATCH_PRIORITY


class Admission:
    """A fixed number of places. Who finds none waits: lower `priority` first, and within it the jobs take turns, so
    that the thousandth decode of one does not keep the first of another waiting.

    Decodes of batches have the places that are left: the others do not count them, so that none of the others waits
    for one of them. Up to twice as many decodes as there are places may run for that while.

    Turns are start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) with decodes of one size: each is numbered
    one above its job's last, but never below the one that was let in last.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        """Less than none while others have come beside batches' decodes."""
        self._of_batches = 0
        """Places that decodes of batches have."""
        self._order = count()
        self._round = 0
        """The number of the decode that was let in last."""
        self._numbered: dict[str, int] = {}
        """The highest number of each job that has decodes waiting."""
        self._waiting: list[tuple[int, int, int, str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def place(self, job: str, priority: int) -> AsyncIterator[None]:
        """Hold a place while the block runs."""
        await self._take(job, priority)
        try:
            yield
        finally:
            self._give(priority)

    async def _take(self, job: str, priority: int) -> None:
        if self._has_room(priority):
            self._count(priority, 1)
            return
        number = self._numbered[job] = max(self._numbered.get(job, 0) + 1, self._round)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, number, next(self._order), job, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give(priority)  # it was ours already: the next in line has it
            raise

    def _give(self, priority: int) -> None:
        self._count(priority, -1)
        while self._waiting and (self._waiting[0][4].done() or self._has_room(self._waiting[0][0])):
            urgency, number, _, job, turn = heapq.heappop(self._waiting)
            if self._numbered.get(job) == number:
                del self._numbered[job]
            if not turn.done():
                self._round = number
                self._count(urgency, 1)
                turn.set_result(None)

    def _has_room(self, priority: int) -> bool:
        return self._free + (0 if priority >= BATCH_PRIORITY else self._of_batches) > 0

    def _count(self, priority: int, taken: int) -> None:
        self._free -= taken
        if priority >= BATCH_PRIORITY:
            self._of_batches += taken
