"""Who runs jobs: with each heartbeat, until it does not come again, or the organizer ends; and whose turn it is."""

import asyncio
from collections.abc import Mapping

from anabranch.service.store.jobs.organizers import Presence
from anabranch.service.store.store import Store
from anabranch.workers.pool.protocol import PoolLoad


def at(host: str) -> Presence:
    return Presence(address=f"ws://{host}:1/link")


async def addresses(store: Store) -> Mapping[str, str]:
    return {name: row.address for name, row in (await store.organizers.list()).items()}


async def test_an_organizer_is_reached_as_long_as_its_heart_beats(store: Store, other_store: Store) -> None:
    await store.queue.heartbeat("one", 0.3, at("here"))
    await store.queue.heartbeat("two", 60, at("there"))
    await store.queue.heartbeat("old", 60)
    assert await addresses(other_store) == {"one": "ws://here:1/link", "two": "ws://there:1/link"}
    await asyncio.sleep(0.4)
    assert await addresses(other_store) == {"two": "ws://there:1/link"}


async def test_an_address_may_change(store: Store) -> None:
    await store.queue.heartbeat("one", 60, at("here"))
    await store.queue.heartbeat("one", 60, at("there"))
    assert await addresses(store) == {"one": "ws://there:1/link"}


async def test_an_organizer_that_ends_or_is_found_lost_is_reached_no_longer(store: Store) -> None:
    for name in ("one", "two", "three"):
        await store.queue.heartbeat(name, 60, at(name))
    await store.organizers.remove("one")
    await store.queue.hand_over("two", 0.0)
    assert list(await store.organizers.list()) == ["three"]


async def test_what_an_organizer_tells_of_itself_is_read_as_it_was(store: Store) -> None:
    small = PoolLoad(replicas=1, decoding=3, capacity=32)
    load = PoolLoad(replicas=2, decoding=7, capacity=64, pools={"small": small})
    told = Presence(address="ws://here:1/link", generation=3, ready=True, load=load)
    await store.queue.heartbeat("one", 60, Presence(address="ws://here:1/link"))
    first = (await store.organizers.list())["one"].started
    await store.queue.heartbeat("one", 60, told)
    row = (await store.organizers.list())["one"]
    assert (row.generation, row.ready, row.load) == (3, True, load)
    assert row.started == first is not None


async def test_generations_are_numbered_as_they_come_and_keep_their_numbers(
    store: Store, other_store: Store
) -> None:
    joined = await asyncio.gather(*(each.organizers.join_generation("blue") for each in (store, other_store)))
    assert len(set(joined)) == 1
    assert await store.organizers.join_generation("green") > joined[0]
    assert await other_store.organizers.join_generation("blue") == joined[0]


class TestWhoseTurn:
    """The newest generation that is ready, or else the newest."""

    async def beat(self, store: Store, generation: int, *, ready: bool, seconds: float = 60) -> None:
        presence = Presence(address="ws://here:1/link", generation=generation, ready=ready)
        await store.queue.heartbeat(f"of {generation}", seconds, presence)

    async def test_where_there_is_none_nobody_waits(self, store: Store) -> None:
        await store.queue.heartbeat("alone", 60, at("here"))
        assert await store.organizers.find_active_generation() is None

    async def test_a_newer_one_has_it_once_it_is_ready(self, store: Store) -> None:
        await self.beat(store, 1, ready=True)
        await self.beat(store, 2, ready=False)
        assert await store.organizers.find_active_generation() == 1
        await self.beat(store, 2, ready=True)
        assert await store.organizers.find_active_generation() == 2

    async def test_of_two_that_are_not_ready_the_newer_one_has_it(self, store: Store) -> None:
        await self.beat(store, 1, ready=False)
        await self.beat(store, 2, ready=False)
        assert await store.organizers.find_active_generation() == 2

    async def test_it_goes_back_when_the_newer_one_goes_away(self, store: Store) -> None:
        await self.beat(store, 1, ready=True)
        await self.beat(store, 2, ready=True, seconds=0.3)
        assert await store.organizers.find_active_generation() == 2
        await asyncio.sleep(0.4)
        assert await store.organizers.find_active_generation() == 1
