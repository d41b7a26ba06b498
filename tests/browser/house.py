"""The dashboard in front of the real thing, in one process: store, REST surface, organizer, and a scripted engine.

python tests/browser/house.py [PORT]      serves the built dashboard with a few lifelike jobs, to look at
"""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser.planted import Event, plant

from anabranch.dag.actions import Verifier
from anabranch.dag.ids import BranchId
from anabranch.service.api.server import serve_api
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Script, reckon
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.pool.local import LocalPool


class SameText:
    """Checks that need no worker: answers mean the same when they read the same."""

    async def compare(self, answers: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        kinds: dict[str, list[int]] = {}
        for index, answer in enumerate(answers):
            kinds.setdefault(answer.strip(), []).append(index)
        return tuple(tuple(indices) for indices in kinds.values())

    async def verify(
        self, verifier: Verifier, values: Mapping[BranchId, str]
    ) -> tuple[Mapping[BranchId, float], Mapping[BranchId, str]]:
        return {branch: float(len(value)) for branch, value in values.items()}, {}

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        raise AssertionError(f"no job of these tests has a tool: {tool} {arguments}")

    async def close(self) -> None: ...


@contextmanager
def organizing(database: str, script: Script, tokens_per_second: float) -> Iterator[None]:
    """An organizer in a thread of its own; the REST surface finds it by the store."""
    stop = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def organize() -> None:
        async with Store(database) as store:
            pool = LocalPool(ScriptedEngine(script, tokens_per_second=tokens_per_second), max_decodes=16)
            traces = Traces(store, "scripted")
            organizer = Organizer(store, pool, SameText(), traces, name="house", lease_seconds=4.0)
            await organizer.live.listen("127.0.0.1", 0)
            working = asyncio.create_task(organizer.run())
            await stop.wait()
            await organizer.drain()
            await working
            await organizer.live.close()
            await pool.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(organize()), name="organizer")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@contextmanager
def house(
    folder: Path,
    planted: Sequence[Sequence[Event]] = (),
    *,
    script: Script = reckon,
    tokens_per_second: float = 200.0,
    port: int = 0,
    tenants: Path | None = None,
) -> Iterator[str]:
    """Serves while the block runs, with these journals in its store; gives the URL."""
    settings = Settings(state=folder, database=f"sqlite:///{folder}/anabranch.db", tenants=tenants)
    asyncio.run(_furnish(settings.database, planted))
    organizer = organizing(settings.database, script, tokens_per_second)
    with organizer, serve_api(settings, ("127.0.0.1", port)) as url:
        yield url


async def _furnish(database: str, planted: Sequence[Sequence[Event]]) -> None:
    await schema.upgrade(database)
    for events in planted:
        await plant(database, events)
