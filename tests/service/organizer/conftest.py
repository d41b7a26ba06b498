"""A house in one process: the real store on SQLite, the real organizer, one scripted engine."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.clients import Client

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


class NoChecks:
    """These tests ask for no check."""

    async def compare(self, answers: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        raise AssertionError(answers)

    async def verify(self, verifier: Verifier, values: Mapping[BranchId, str]) -> Any:
        raise AssertionError(verifier)

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        raise AssertionError(tool)

    async def close(self) -> None: ...


class GatedEngine(ScriptedEngine):
    """Decodes nothing before its gate is open, and never what is stuck."""

    def __init__(
        self, script: Script, speed: float, gate: asyncio.Event, stuck: Callable[[DecodeRequest], bool]
    ) -> None:
        super().__init__(script, tokens_per_second=speed)
        self._gate = gate
        self._stuck = stuck

    async def decode(self, request: DecodeRequest) -> AsyncGenerator[Chunk, None]:
        await self._gate.wait()
        if self._stuck(request):
            await asyncio.Event().wait()
        async for chunk in super().decode(request):
            yield chunk


class House(Client):
    """What the tests act on."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.asked: list[DecodeRequest] = []

    @asynccontextmanager
    async def organizer(
        self,
        script: Script,
        *,
        speed: float = 0.0,
        name: str = "first",
        gate: asyncio.Event | None = None,
        lease: float = 1.0,
        stuck: Callable[[DecodeRequest], bool] = lambda _request: False,
    ) -> AsyncIterator[Organizer]:
        if gate is None:
            gate = asyncio.Event()
            gate.set()

        def listening(request: DecodeRequest) -> Any:
            self.asked.append(request)
            return script(request)

        pool = LocalPool(GatedEngine(listening, speed, gate, stuck))
        organizer = Organizer(
            self.store, pool, NoChecks(), Traces(self.store, "scripted"), name=name, lease_seconds=lease
        )
        working = asyncio.create_task(organizer.run())
        try:
            yield organizer
        finally:
            await organizer.drain()
            await working
            await pool.close()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    url = f"sqlite:///{tmp_path}/anabranch.db"
    await schema.upgrade(url)
    async with Store(url) as store:
        yield House(store)
