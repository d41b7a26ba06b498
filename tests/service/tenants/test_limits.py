"""How often a tenant calls, and how many streams it has open: alone, and together with other processes."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import update
from tests.databases import BOTH, Databases
from tests.service.store.scenes import rows_of

from anabranch.service.store.sql.clock import later
from anabranch.service.store.sql.tables import tenant_requests, tenant_streams
from anabranch.service.store.store import Store
from anabranch.service.tenants.callers import Caller
from anabranch.service.tenants.limits import Counted, OwnLimits, TenantLimits
from anabranch.service.tenants.shared_limits import SharedLimits

ACME = Caller(tenant="acme", requests_per_minute=3, streams=1)
LONG = 60.0


@pytest.fixture(params=BOTH)
def database_url(databases: Databases, request: pytest.FixtureRequest) -> str:
    return databases.new(str(request.param))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with Store(database_url) as opened:
        yield opened


@pytest.fixture
def other(store: Store) -> SharedLimits:
    """What another process counts on the same database."""
    return SharedLimits(store.usage_counts)


@pytest.fixture(params=["own", "shared"])
def limits(request: pytest.FixtureRequest, store: Store) -> TenantLimits:
    return OwnLimits() if request.param == "own" else SharedLimits(store.usage_counts)


async def counted(limits: TenantLimits, caller: Caller = ACME) -> Counted:
    told = await limits.count(caller)
    assert told is not None
    return told


async def test_no_more_than_so_many_are_counted_in_any_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, start = OwnLimits(), time.time()
    moment = start
    monkeypatch.setattr(time, "time", lambda: moment)
    told = []
    for seconds in (0, 20, 40, 59, 61, 62):
        moment = start + seconds
        one = await counted(limits)
        told.append((one.refused, one.left))
    assert told == [(False, 2), (False, 1), (False, 0), (True, 0), (False, 0), (True, 0)]


async def test_tenants_are_counted_apart_and_those_without_a_limit_not_at_all(limits: TenantLimits) -> None:
    for _ in range(3):
        await counted(limits)
    assert (await counted(limits)).refused
    assert (await counted(limits, Caller(tenant="other", requests_per_minute=3))).left == 2
    assert await limits.count(Caller()) is None


async def test_whoever_is_refused_is_told_when_to_come_again(limits: TenantLimits) -> None:
    headers = [(await counted(limits)).headers() for _ in range(4)]
    assert [told["RateLimit-Remaining"] for told in headers] == ["2", "1", "0", "0"]
    assert [told.get("Retry-After") is not None for told in headers] == [False, False, False, True]
    assert 1 <= int(headers[-1]["Retry-After"]) <= 60
    assert headers[-1]["X-RateLimit-Limit-Requests"] == headers[-1]["RateLimit-Limit"] == "3"


async def test_a_stream_makes_room_when_it_ends(limits: TenantLimits) -> None:
    first = await limits.open_stream(ACME)
    assert first is not None and await limits.open_stream(ACME) is None
    assert await limits.open_stream(Caller(tenant="other", streams=1)) is not None
    limits.close_stream(first)
    async with asyncio.timeout(LONG):
        while await limits.open_stream(ACME) is None:
            await asyncio.sleep(0.01)


async def test_several_processes_count_together(store: Store, other: SharedLimits) -> None:
    mine = SharedLimits(store.usage_counts)
    told = await asyncio.gather(*(counted(limits) for limits in (mine, other) * 4))
    assert sorted(one.refused for one in told) == [False] * 3 + [True] * 5
    opened = await asyncio.gather(*(limits.open_stream(ACME) for limits in (mine, other) * 2))
    assert sum(one is not None for one in opened) == 1


async def test_requests_of_a_minute_ago_count_no_more(store: Store) -> None:
    limits = SharedLimits(store.usage_counts)
    for _ in range(3):
        await counted(limits)
    assert (await counted(limits)).refused
    minute = update(tenant_requests).values(at=later(-61))
    await store.database.write(lambda connection: connection.execute(minute))
    assert (await counted(limits)).left == 2
    assert len(await rows_of(store, "SELECT id FROM tenant_requests")) == 1


async def test_the_streams_of_a_process_that_died_make_room(store: Store, other: SharedLimits) -> None:
    assert await SharedLimits(store.usage_counts).open_stream(ACME) is not None
    assert await other.open_stream(ACME) is None
    dead = update(tenant_streams).values(expires=later(-1))
    await store.database.write(lambda connection: connection.execute(dead))
    assert await other.open_stream(ACME) is not None


async def test_a_stream_that_stays_open_is_counted_on(store: Store, other: SharedLimits) -> None:
    keeping = SharedLimits(store.usage_counts, keep_seconds=0.01)
    assert await keeping.open_stream(ACME) is not None
    (first,) = await rows_of(store, "SELECT expires FROM tenant_streams")
    async with asyncio.timeout(LONG):
        while (await rows_of(store, "SELECT expires FROM tenant_streams"))[0] == first:
            await asyncio.sleep(0.01)
    assert await other.open_stream(ACME) is None


async def test_for_a_tenant_without_limits_the_store_is_not_asked(database_url: str) -> None:
    async with Store(database_url) as closed:
        other = SharedLimits(closed.usage_counts)
    assert await other.count(Caller()) is None
    stream = await other.open_stream(Caller())
    assert stream is not None
    other.close_stream(stream)
