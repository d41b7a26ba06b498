"""Where organizers are reached: with each heartbeat, until it does not come again, or the organizer ends."""

import asyncio

from anabranch.service.store.store import Store


async def test_an_organizer_is_reached_as_long_as_its_heart_beats(store: Store, other_store: Store) -> None:
    await store.queue.heartbeat("one", 0.3, "ws://here:1/link")
    await store.queue.heartbeat("two", 60, "ws://here:2/link")
    await store.queue.heartbeat("old", 60)
    assert await other_store.organizers.list() == {"one": "ws://here:1/link", "two": "ws://here:2/link"}
    await asyncio.sleep(0.4)
    assert await other_store.organizers.list() == {"two": "ws://here:2/link"}


async def test_an_address_may_change(store: Store) -> None:
    await store.queue.heartbeat("one", 60, "ws://here:1/link")
    await store.queue.heartbeat("one", 60, "ws://there:1/link")
    assert await store.organizers.list() == {"one": "ws://there:1/link"}


async def test_an_organizer_that_ends_or_is_found_lost_is_reached_no_longer(store: Store) -> None:
    for name in ("one", "two", "three"):
        await store.queue.heartbeat(name, 60, f"ws://{name}:1/link")
    await store.organizers.remove("one")
    await store.queue.hand_over("two", 0.0)
    assert list(await store.organizers.list()) == ["three"]
