"""Gives fresh jobs to an organizer of this process in the very transaction that submits them.

The submission writes the lease, and the claim is handed over when it is durable: no claim of its own, no word by the
link. What is promised is room: an organizer that has none, or that must be fair between tenants, promises nothing, and
the jobs are queued for whoever comes. A claim that is lost on the way is one that nobody holds (`Strays`), and is given
back after two heartbeats.
"""

import asyncio
import threading
from collections.abc import Sequence

from anabranch.service.organizer.loop import Organizer
from anabranch.service.store.jobs.submissions import Taker
from anabranch.service.store.rows import Claim


class FirstHand:
    """The way from REST's thread to the organizer's."""

    def __init__(self, organizer: Organizer) -> None:
        """To be made on the organizer's event loop."""
        self._organizer = organizer
        self._loop = asyncio.get_running_loop()
        self._promised = 0
        self._lock = threading.Lock()

    def promise(self, jobs: int) -> Taker | None:
        """Who takes so many jobs; they must be given, or given up. None: they are to be queued."""
        with self._lock:
            if self._promised + jobs > self._organizer.room_for_fresh:
                return None
            self._promised += jobs
        return self._organizer.as_taker

    def give(self, promised: int, claims: Sequence[Claim]) -> None:
        """Of the jobs that were promised for, these are durable and claimed; there may be none."""
        self._loop.call_soon_threadsafe(self._take, promised, claims)

    def _take(self, promised: int, claims: Sequence[Claim]) -> None:
        with self._lock:
            self._promised -= promised
        for claim in claims:
            self._organizer.take(claim)
