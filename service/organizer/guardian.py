"""Guards an organizer from a process that outlives it: tells the store what the organizer was computing, and hands
over.

An organizer that is lost cannot say of what, and while a step holds its event loop (in one long call of C, all its
threads) it can say nothing either. So another process watches, through the mark in shared memory (`mark.py`):

* a step that takes longer than HELD_SHARE of a lease makes its job suspect, before anybody else can claim it;
* a step that takes a whole lease has cost the organizer its leases: it is killed, so that Serve replaces it. Nothing
  else frees what it may hold besides jobs, such as SQLite's one lock for writing;
* when the organizer's process ends, whatever it was computing is suspect, and what it had is handed over.

A clean end needs no word: nothing is marked then, and nothing is left to hand over. Where a whole machine is lost, the
guardian is, too: nobody is suspected, and leases end by themselves.
"""

import asyncio
import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial

from anabranch.service.organizer.mark import Computed, Mark, Place
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.jobs.suspicions import Loss
from anabranch.service.store.store import Store

logger = logging.getLogger(__name__)

HELD_SHARE = 0.25
"""Of a lease: how long a step may take before its job is suspect. Progress afterwards clears it (`resume.py`)."""
LOOK_SHARE = 1 / 16
"""Of a lease: between two looks at the mark."""
SUSPECTS_WAIT_LEASES = 2.0
"""Leases that a suspect waits before it is claimed again, so that the jobs beside it get somewhere first."""
CONNECTIONS = 1
"""To the store: it seldom says more than one thing at a time."""
PATIENCE_SECONDS = 60.0
"""How long a guardian tries to reach a store that is away."""


async def report_loss(
    store: Store, owner: str, lease: float, computed: Iterable[Computed], reason: Loss = Loss.ENDED
) -> None:
    """Tells what a lost organizer was computing, and hands over all that it had. Raises StoreAway."""
    for each in computed:
        await store.suspicions.record(each.job, each.epoch, reason)
    await store.queue.hand_over(owner, suspects_after=SUSPECTS_WAIT_LEASES * lease)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Whom a guardian watches. It travels by a pipe: the URL may hold a password."""

    database: str
    owner: str
    lease: float
    pid: int
    mark: int
    """File descriptor of the shared mark."""


class Guardian:
    """The organizer's end: starts the guardian's process, and another one should it be gone."""

    def __init__(self, database: str, owner: str, lease: float) -> None:
        self.mark, descriptor = Mark.shared()
        self._charge = Charge(database=database, owner=owner, lease=lease, pid=os.getpid(), mark=descriptor)
        self._process = self._start()

    def check(self) -> None:
        """Starts another process where the last has ended."""
        if self._process.poll() is not None:
            logger.warning("the guardian of %s had ended (%s)", self._charge.owner, self._process.returncode)
            self._process = self._start()

    def close(self) -> None:
        """To be called when nothing is held any more: there is nothing left to guard, or to hand over."""
        self._process.kill()
        self._process.communicate()
        os.close(self._charge.mark)

    def _start(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            pass_fds=[self._charge.mark],
            start_new_session=True,  # what ends the organizer's group must not end its witness
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(self._charge)).encode() + b"\n")
        process.stdin.flush()  # and it stays open: its end is the organizer's end
        return process


class Watch:
    """The guardian's end."""

    def __init__(self, charge: Charge, store: Store) -> None:
        self._charge = charge
        self._store = store
        self._mark = Mark.of_file(charge.mark)
        self._held: Computed | None = None
        """The step that is held, or was the last time that one was."""
        self._telling: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until the organizer is gone and what it had is handed over."""
        while not _ended(self._charge):
            self._look()
            await asyncio.sleep(self._charge.lease * LOOK_SHARE)
        computed = self._mark.read()
        reason = Loss.HELD if self._held in computed else Loss.ENDED
        owner, lease = self._charge.owner, self._charge.lease
        await _stubbornly(partial(report_loss, self._store, owner, lease, computed, reason))

    def _look(self) -> None:
        for each in self._mark.read():
            seconds = time.monotonic() - each.since
            if each.place is not Place.LOOP or seconds < self._charge.lease * HELD_SHARE:
                continue
            if each != self._held:
                logger.warning("%s is held by job %s", self._charge.owner, each.job)
                self._held = each
                told = self._store.suspicions.record(each.job, each.epoch, Loss.HELD)
                self._telling = asyncio.create_task(_try_to(told))
            if seconds > self._charge.lease:
                logger.warning(
                    "%s was held by job %s for a whole lease; it is ended", self._charge.owner, each.job
                )
                os.kill(self._charge.pid, signal.SIGKILL)


def _ended(charge: Charge) -> bool:
    """Whether the organizer has ended: its pipe is closed, or its process is no longer our parent."""
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable) or os.getppid() != charge.pid


async def _try_to(work: Awaitable[None]) -> None:
    """What is not told now is told when the organizer has ended."""
    with suppress(StoreAway):
        await work


async def _stubbornly(work: Callable[[], Awaitable[None]]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await work()
        except StoreAway as error:
            if time.monotonic() > give_up:
                logger.warning("the store is away, leases end by themselves: %s", error)
                return None
            await asyncio.sleep(0.5)


async def guard(charge: Charge) -> None:
    async with Store(charge.database, connections=CONNECTIONS) as store:
        await Watch(charge, store).run()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the organizer, which drains
    with open(
        sys.stdin.fileno(), "rb", buffering=0, closefd=False
    ) as pipe:  # unbuffered: `select` must see its end
        charge = Charge(**json.loads(pipe.readline()))
    asyncio.run(guard(charge))
