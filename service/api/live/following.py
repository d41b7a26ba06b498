"""Waits on journals: until a job has ended, and event by event."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from anabranch.dag.events import Record
from anabranch.dag.ids import JobId
from anabranch.service.api.live.feed import AWAY_SECONDS, Feed, Follower
from anabranch.service.api.live.sse import PING, PING_SECONDS, sse
from anabranch.service.store.errors import StoreAway
from anabranch.service.wire import record_json


async def await_end(feed: Feed, job: JobId, after: int, seconds: float) -> None:
    """Returns when the job's last event, somewhere behind `after`, was read, or when the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    with feed.follow(job, after) as follower:
        while not follower.ended and loop.time() < deadline:
            if not await follower.read():
                await feed.news(deadline - loop.time())


async def batches(feed: Feed, follower: Follower, quiet_seconds: float) -> AsyncIterator[Sequence[Record]]:
    """What the follower reads, as it comes, until the job's last event; an empty batch after so many quiet seconds,
    and whenever the store is away."""
    while not follower.ended:
        try:
            records = await follower.read()
        except StoreAway:
            await asyncio.sleep(AWAY_SECONDS)
            yield ()
            continue
        if records or not await feed.news(quiet_seconds):
            yield records


async def stream_events(feed: Feed, follower: Follower) -> AsyncIterator[bytes]:
    """One job's events as Server-Sent Events, live, until its last one. `id` is the journal's seq."""
    with follower:
        async for records in batches(feed, follower, PING_SECONDS):
            yield b"".join(_event(record) for record in records) or PING


def _event(record: Record) -> bytes:
    return sse(record_json(record), event=type(record.event).__name__, place=str(record.seq))
