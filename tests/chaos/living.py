"""An organizer and the process that it is in: begun on a store and a pool of the simulated world, and ended."""

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.chaos.faults import Disk, Meter, Process, Wire, store_of
from tests.chaos.virtual import unix_now
from tests.chaos.wishes import PlainChecks

from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.store import Store
from anabranch.workers.pool.local import LocalPool

LEASE = 2.0


@dataclass(frozen=True, slots=True)
class Living:
    process: Process
    organizer: Organizer
    store: Store
    wire: Wire
    task: asyncio.Task[None]

    async def stop_work(self) -> None:
        """Its process is gone between two instructions: nothing is handed over, nothing is said."""
        tasks = [self.task, *(held.task for held in self.organizer._held.values() if held.task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def die(self) -> None:
        """kill -9."""
        self.process.die()
        await self.stop_work()
        self.wire.hang_up()

    async def drain(self) -> None:
        await self.organizer.drain()
        await self.task


def begin(process: Process, disk: Disk, pool: LocalPool, meter: Meter) -> Living:
    """An organizer that works from now on, named as its process is."""
    store, wire = store_of(disk, process), Wire(pool, process, meter)
    checks: Any = PlainChecks()
    organizer = Organizer(
        store,
        wire,
        checks,
        Traces(store, "scripted"),
        name=process.name,
        lease_seconds=LEASE,
        now=unix_now,
    )
    return Living(process, organizer, store, wire, asyncio.create_task(organizer.run(), name=process.name))
