"""What the parts of `growth.py` share: an organizer, jobs for it, and a count of statements."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import Engine, event
from tests.chaos.world import PlainChecks
from tests.service.organizer import long_journals

from anabranch.dag.ids import JobId
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.store import Store
from anabranch.workers.pool.protocol import PoolLoad


class SilentPool:
    """Takes all decodes and answers none: what is left in memory is the organizer's."""

    def __init__(self) -> None:
        self.taken = 0

    def start(self, requests: Sequence[Any], deliver: Callable[[Any], None]) -> None:  # noqa: ARG002
        self.taken += len(requests)

    def abort(self, keys: Sequence[Any]) -> None: ...

    def load(self) -> PoolLoad:
        return PoolLoad(replicas=1, decoding=self.taken, capacity=self.taken)


@contextmanager
def counted() -> Iterator[list[int]]:
    """How many statements are executed meanwhile."""
    seen = [0]

    def hear(*_: Any) -> None:
        seen[0] += 1

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


@asynccontextmanager
async def organizing(store: Store, pool: Any) -> AsyncIterator[Organizer]:
    organizer = Organizer(
        store, pool, PlainChecks(), Traces(store, "scripted"), name="bench", lease_seconds=60.0
    )
    working = asyncio.create_task(organizer.run())
    try:
        yield organizer
    finally:
        await organizer.drain()
        await working


async def submit(store: Store, n: int, tenant: str = "default") -> JobId:
    """A job of n branches, all at once."""
    return (await store.jobs.submit(long_journals.new_job(1, n, tenant=tenant))).job.id


async def until(there: Callable[[], Awaitable[bool]]) -> None:
    while not await there():  # noqa: ASYNC110 - as a client would
        await asyncio.sleep(0.02)


async def has_ended(store: Store, job: JobId) -> bool:
    return (await store.jobs.get(job)).finished_at is not None
