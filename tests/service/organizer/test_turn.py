"""Two clusters during an upgrade: one generation of organizers takes jobs, whatever becomes of the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.scripted_service import NoChecks

from anabranch.dag import events as e
from anabranch.dag.ids import JobId
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.organizer.turn import Turn
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import script_of
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.pool.local import LocalPool

SLOW = script_of({"rules": [{"text": "so it goes " * 200}], "tokens_per_second": 40})


class Cluster:
    """One generation: an organizer with an engine, ready when a test says so."""

    def __init__(self, store: Store, number: int) -> None:
        self.ready = False
        self.organizer = Organizer(
            store,
            LocalPool(ScriptedEngine(SLOW, tokens_per_second=40)),
            NoChecks(),
            Traces(store, "scripted"),
            name=f"of {number}",
            lease_seconds=0.4,
            turn=Turn(number, lambda: self.ready),
        )
        self.organizer.live.address = "ws://127.0.0.1:9/link"


@asynccontextmanager
async def living(store: Store, name: str, *, ready: bool) -> AsyncIterator[Cluster]:
    cluster = Cluster(store, await store.organizers.join_generation(name))
    cluster.ready = ready
    working = asyncio.create_task(cluster.organizer.run())
    try:
        yield cluster
    finally:
        await cluster.organizer.drain()
        await working


async def owners(store: Store, job: JobId) -> list[tuple[str, int]]:
    """Who took the job up, in turn, and as which attempt."""
    events = [record.event for record in await store.journal.read(job)]
    return [(each.owner, each.attempt) for each in events if isinstance(each, e.JobClaimed)]


async def until_taken(store: Store, job: JobId, *by: str) -> None:
    async with asyncio.timeout(30):
        while [owner for owner, _ in await owners(store, job)] != [*by]:
            await asyncio.sleep(0.05)


@pytest.fixture
async def job(house: Any) -> JobId:
    return JobId(await house.submit("sequential"))


async def test_a_newer_generation_takes_over_once_it_is_ready_and_gives_back_when_it_goes(
    house: Any, job: JobId
) -> None:
    store: Store = house.store
    async with living(store, "blue", ready=True) as blue:
        await until_taken(store, job, "of 1")
        async with living(store, "green", ready=False) as green:
            await asyncio.sleep(0.5)
            assert await owners(store, job) == [("of 1", 1)], "nothing answers there yet"
            green.ready = True
            await until_taken(store, job, "of 1", "of 2")
        await until_taken(store, job, "of 1", "of 2", "of 1")
        blue.ready = False
        assert {attempt for _, attempt in await owners(store, job)} == {1}, "nothing was lost"


async def test_a_first_generation_need_not_be_ready_to_take_jobs(house: Any, job: JobId) -> None:
    async with living(house.store, "blue", ready=False):
        await until_taken(house.store, job, "of 1")
