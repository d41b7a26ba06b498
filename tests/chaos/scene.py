"""A small world in virtual time for one story: organizers that a test starts, drains, stops and kills by name."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.chaos.virtual import run_virtually
from tests.chaos.world import Living, World, copy_store
from tests.clients import Client

from anabranch.service.store.rows import JobRow
from anabranch.workers.engines.script import Line, Script
from anabranch.workers.messages import DecodeRequest


def is_in_epoch(epoch: int) -> Callable[[JobRow], bool]:
    return lambda row: row.epoch == epoch


class Scene(Client):
    """A client of the world, who also starts its organizers."""

    def __init__(self, url: str, script: Script) -> None:
        self.asked: list[DecodeRequest] = []

        def listening(request: DecodeRequest) -> Line:
            self.asked.append(request)
            return script(request)

        self.world = World(url, listening)
        self.away = self.world.away
        self._living: list[Living] = []
        super().__init__(self.world.store_in(self.world.process("client")), pause=0.05, patience=300)

    def start(self, name: str) -> Living:
        self._living.append(living := self.world.begin(self.world.process(name)))
        return living

    async def close(self) -> None:
        for living in self._living:
            if living.process.alive and not living.task.done():
                await living.drain()
        await self.store.close()
        await self.world.close()


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
    url = copy_store(template, folder / "scene.db")

    async def main() -> None:
        async with _opened(url, script) as scene:
            await story(scene)

    run_virtually(main())
