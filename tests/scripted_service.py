"""A whole service in this process, with an engine that recites: REST over HTTP, an organizer, a store in a file."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from anabranch.dag.actions import Verifier
from anabranch.dag.ids import BranchId
from anabranch.service.api.server import serve_api
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.engines.protocol import Engine
from anabranch.workers.pool.local import LocalPool


class NoChecks:
    """Nobody here asks for a check."""

    async def compare(self, answers: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        raise AssertionError(answers)

    async def verify(self, verifier: Verifier, values: Mapping[BranchId, str]) -> Any:
        raise AssertionError(verifier)

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        raise AssertionError(tool)

    async def close(self) -> None: ...


@contextmanager
def serve_scripted(settings: Settings, engine: Callable[[], Engine]) -> Iterator[str]:
    """Serves while the block runs; gives the URL. The database is made where there is none."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="organizer")
    thread.start()

    def here(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    async def start() -> tuple[Store, LocalPool, Organizer, asyncio.Task[None]]:
        store, pool = Store(settings.database), LocalPool(engine())
        traces = Traces(store, "scripted")
        organizer = Organizer(store, pool, NoChecks(), traces, name="near", lease_seconds=5.0)
        await organizer.live.listen("127.0.0.1", 0)
        return store, pool, organizer, asyncio.create_task(organizer.run())

    async def stop() -> None:
        await organizer.drain()
        await working
        await organizer.live.close()
        await pool.close()
        await store.close()

    try:
        here(schema.upgrade(settings.database))
        store, pool, organizer, working = here(start())
        try:
            with serve_api(settings, (settings.host, settings.port)) as url:
                yield url
        finally:
            here(stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
