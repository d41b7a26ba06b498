"""A small world in virtual time for one story: organizers that a test starts, drains, stops and kills by name."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.chaos.faults import CALM, Disk, Meter, Process, store_of
from tests.chaos.living import Living, begin
from tests.chaos.virtual import run_virtually
from tests.clients import Client

from anabranch.service.store.rows import JobRow
from anabranch.workers.engines.script import Line, Script
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.local import LocalPool


def is_in_epoch(epoch: int) -> Callable[[JobRow], bool]:
    return lambda row: row.epoch == epoch


class Scene(Client):
    """Speed is 20 tokens a virtual second."""

    def __init__(self, url: str, script: Script) -> None:
        self.disk, self.meter = Disk(url), Meter()
        self.asked: list[DecodeRequest] = []
        self.away = asyncio.Event()
        self._script = script
        self.pool = LocalPool(ScriptedEngine(self._answer, tokens_per_second=20.0))
        self._living: list[Living] = []
        super().__init__(store_of(self.disk, self._process("client")), pause=0.05, patience=300)

    def _answer(self, request: DecodeRequest) -> Line:
        self.asked.append(request)
        return self._script(request)

    def _process(self, name: str) -> Process:
        return Process(name=name, dice=random.Random(name), odds=CALM, store_away=self.away)

    def start(self, name: str) -> Living:
        self._living.append(living := begin(self._process(name), self.disk, self.pool, self.meter))
        return living

    async def close(self) -> None:
        for living in self._living:
            if living.process.alive and not living.task.done():
                await living.drain()
        await self.pool.close()
        await self.store.close()
        self.disk.close()


@asynccontextmanager
async def _opened(url: str, script: Script) -> AsyncIterator[Scene]:
    scene = Scene(url, script)
    try:
        yield scene
    finally:
        await scene.close()


def play(
    folder: Path, template: Path, script: Script, story: Callable[[Scene], Coroutine[Any, Any, None]]
) -> None:
    """Tells a story, in virtual time, on an empty store."""
    path = shutil.copy(template, folder / "scene.db")

    async def main() -> None:
        async with _opened(f"sqlite:///{path}", script) as scene:
            await story(scene)

    run_virtually(main())
