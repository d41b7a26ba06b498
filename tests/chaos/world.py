"""A simulated world: one disk, one pool and one clock, and the processes in it that organizers live in."""

import asyncio
import random
import shutil
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tests.chaos.faults import CALM, Disk, Meter, Odds, Process, Wire, store_of
from tests.chaos.virtual import unix_now

from anabranch.dag.actions import Verifier
from anabranch.dag.ids import BranchId
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.engines.script import Script
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.local import LocalPool

LEASE = 2.0
SPEED = 20.0
"""Tokens that a decode writes in a virtual second."""
LATE = 5.0
"""Virtual seconds before a straggler's first token."""


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


class PlainChecks:
    """In place of worker tasks: answers mean the same when they are the same. Nothing else is asked for."""

    async def compare(self, answers: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        await asyncio.sleep(0.1)
        groups: dict[str, list[int]] = {}
        for index, answer in enumerate(answers):
            groups.setdefault(answer, []).append(index)
        return tuple(map(tuple, groups.values()))

    async def verify(self, verifier: Verifier, values: Mapping[BranchId, str]) -> NoReturn:
        raise AssertionError(verifier)

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> NoReturn:
        raise AssertionError(tool)

    async def close(self) -> None: ...


class UnevenEngine(ScriptedEngine):
    """Begins every third decode late, unless it is the second of its segment: that is what hedging is for."""

    async def decode(self, request: DecodeRequest) -> AsyncGenerator[Chunk, None]:
        if not request.key.copy and request.seed % 3 == 0:
            await asyncio.sleep(LATE)
        async for chunk in super().decode(request):
            yield chunk


class World:
    """What all processes share. A process is made here, and an organizer begins in it."""

    def __init__(self, url: str, script: Script, engine: type[ScriptedEngine] = ScriptedEngine) -> None:
        self.disk, self.meter = Disk(url), Meter()
        self.away = asyncio.Event()
        """Set while the store cannot be reached."""
        self.pool = LocalPool(engine(script, tokens_per_second=SPEED), max_decodes=64)

    def process(self, name: str, *, odds: Odds = CALM, dice: random.Random | None = None) -> Process:
        return Process(name=name, dice=dice or random.Random(name), odds=odds, store_away=self.away)

    def store_in(self, process: Process) -> Store:
        return store_of(self.disk, process)

    def begin(self, process: Process) -> Living:
        """An organizer that works from now on, named as its process is."""
        store, wire = self.store_in(process), Wire(self.pool, process, self.meter)
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
        return Living(
            process, organizer, store, wire, asyncio.create_task(organizer.run(), name=process.name)
        )

    async def close(self) -> None:
        await self.pool.close()
        self.disk.close()


def make_template(folder: Path) -> Path:
    """An empty, migrated store."""
    path = folder / "template.db"
    asyncio.run(schema.upgrade(f"sqlite:///{path}"))
    return path


def copy_store(template: Path, path: Path) -> str:
    """URL of a store of its own."""
    return f"sqlite:///{shutil.copy(template, path)}"
