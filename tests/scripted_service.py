"""A whole service in this process, with an engine that recites: REST over HTTP, an organizer, a store in a file."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from anabranch.dag.actions import Verifier
from anabranch.dag.ids import BranchId, JobId
from anabranch.service.api.server import serve_api
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.engines.protocol import Engine
from anabranch.workers.pool.local import LocalPool
from anabranch.workers.pool.protocol import PoolLoad


class NoChecks:
    """Nobody here asks for a check."""

    async def compare(self, answers: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        raise AssertionError(answers)

    async def verify(self, verifier: Verifier, values: Mapping[BranchId, str]) -> Any:
        raise AssertionError(verifier)

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        raise AssertionError(tool)

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Near:
    """The organizer of this process, as REST sees it from its own thread."""

    organizer: Organizer
    pool: LocalPool
    loop: asyncio.AbstractEventLoop

    def nudge(self, job: JobId) -> None:
        self.loop.call_soon_threadsafe(self.organizer.nudge)

    def load(self) -> PoolLoad | None:
        return self.pool.load()

    async def hear_load(self) -> PoolLoad | None:
        return self.load()


@contextmanager
def serve_scripted(settings: Settings, engine: Callable[[], Engine]) -> Iterator[str]:
    """Serves while the block runs; gives the URL. The database is made where there is none."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="organizer")
    thread.start()

    def here(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    async def start() -> tuple[Store, Near, asyncio.Task[None]]:
        store, pool = Store(settings.database), LocalPool(engine())
        organizer = Organizer(
            store, pool, NoChecks(), Traces(store, "scripted"), name="near", lease_seconds=5.0
        )
        return store, Near(organizer, pool, loop), asyncio.create_task(organizer.run())

    async def stop() -> None:
        await near.organizer.drain()
        await working
        await near.pool.close()
        await store.close()

    try:
        here(schema.upgrade(settings.database))
        store, near, working = here(start())
        try:
            with serve_api(settings, lambda: near, (settings.host, settings.port)) as url:
                yield url
        finally:
            here(stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
