"""What tenants with limits do is counted for all REST processes together, each tenant for itself."""

import asyncio

from sqlalchemy import update
from tests.service.store.scenes import rows_of

from anabranch.service.store.sql.clock import later
from anabranch.service.store.sql.tables import tenant_requests
from anabranch.service.store.store import Store
from anabranch.service.store.usage_counts import Window


async def test_so_many_pass_within_a_minute_and_it_is_told_how_many_are_left(
    store: Store, other_store: Store
) -> None:
    windows = [await each.usage_counts.count_request("acme", 3) for each in (store, other_store) * 2]
    assert [(window.passed, window.left) for window in windows] == [
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
    ]
    assert all(1 < window.reset_seconds <= 60 for window in windows)
    assert await store.usage_counts.count_request("zeta", 3) == Window(True, 2, 60)
    assert await rows_of(store, "SELECT count(*) FROM tenant_requests") == [(4,)], (
        "what is refused is not counted"
    )


async def test_the_oldest_is_forgotten_first_and_it_is_told_when(store: Store) -> None:
    async def were_made(seconds_ago: float) -> None:
        made = update(tenant_requests).values(at=later(-seconds_ago))
        await store.database.write(lambda connection: connection.execute(made))

    assert (await store.usage_counts.count_request("acme", 2)).passed
    await were_made(30)
    window = await store.usage_counts.count_request("acme", 2)
    assert (window.passed, window.left, 1 < window.reset_seconds <= 30) == (True, 0, True)
    refused = await store.usage_counts.count_request("acme", 2)
    assert (refused.passed, refused.left, 1 < refused.reset_seconds <= 30) == (False, 0, True)
    await were_made(60)
    assert await store.usage_counts.count_request("acme", 2) == Window(True, 1, 60)


async def test_so_many_streams_are_open_at_once(store: Store, other_store: Store) -> None:
    one, two, three = [
        await each.usage_counts.open_stream("acme", 2, 60) for each in (store, other_store, store)
    ]
    assert (one is not None, two is not None, three) == (True, True, None)
    assert await store.usage_counts.open_stream("zeta", 1, 60) is not None
    await other_store.usage_counts.close_streams([str(one)])
    assert await store.usage_counts.open_stream("acme", 2, 60) is not None
    assert await store.usage_counts.open_stream("acme", 2, 60) is None


async def test_a_stream_that_nobody_keeps_is_counted_no_more(store: Store) -> None:
    kept, lost = [str(await store.usage_counts.open_stream("acme", 2, 60)) for _ in range(2)]
    await store.usage_counts.keep_streams([lost], 0)
    await store.usage_counts.keep_streams([kept], 60)
    assert await store.usage_counts.open_stream("acme", 2, 60) is not None
    assert await store.usage_counts.open_stream("acme", 2, 60) is None


async def test_who_asks_at_once_is_counted_one_by_one(store: Store, other_store: Store) -> None:
    asked = [each.usage_counts.count_request("acme", 4) for each in (store, other_store) * 4]
    windows = await asyncio.gather(*asked)
    assert sorted(window.left for window in windows if window.passed) == [0, 1, 2, 3]
