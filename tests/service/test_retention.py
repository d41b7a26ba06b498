"""Ended jobs are purged, or their journals packed, once they are older than the operator wants them."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.service.store.scenes import rows_of

from anabranch.dag.job import JobSpec
from anabranch.dag.text import say
from anabranch.service import retention
from anabranch.service.retention import keep_packing, keep_purging
from anabranch.service.store.rows import NewJob
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store


async def test_only_ended_jobs_that_are_old_enough_go(tmp_path: Path, voted: Any) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    await schema.upgrade(url)
    clock = datetime(2026, 1, 1, tzinfo=UTC)
    async with Store(url, lambda: clock) as store:
        old, running = [await _submit(store) for _ in range(2)]
        claims = {claim.job: claim.epoch for claim in await store.queue.claim("o", 60, 10)}
        await store.journal.append(old, claims[old], [record.event for record in voted.records[1:]])
        clock = datetime.now(UTC)
        recent = await _submit(store)
        (claim,) = await store.queue.claim("o", 60, 10)
        await store.journal.append(recent, claim.epoch, [record.event for record in voted.records[1:]])

        purging = asyncio.create_task(keep_purging(store.maintenance, 1.0))
        async with asyncio.timeout(10):
            while len((await store.jobs.list_page()).items) > 2:
                await asyncio.sleep(0.01)
        assert {row.id for row in (await store.jobs.list_page()).items} == {running, recent}
        purging.cancel()


async def test_old_journals_are_packed_and_read_as_before(tmp_path: Path, voted: Any) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    await schema.upgrade(url)
    async with Store(url, lambda: datetime(2026, 1, 1, tzinfo=UTC)) as store:
        old = await _submit(store)
        (claim,) = await store.queue.claim("o", 60, 10)
        await store.journal.append(old, claim.epoch, [record.event for record in voted.records[1:]])
        before = await store.journal.read(old)

        packing = asyncio.create_task(keep_packing(store.maintenance, 1.0))
        async with asyncio.timeout(10):
            while await rows_of(store, "SELECT 1 FROM events"):
                await asyncio.sleep(0.01)
        assert await store.journal.read(old) == before
        packing.cancel()


async def test_without_a_limit_nothing_is_looked_for(tmp_path: Path) -> None:
    async with Store(f"sqlite:///{tmp_path}/gone/none.db") as store:
        await asyncio.wait_for(keep_purging(store.maintenance, None), 10)
        await asyncio.wait_for(keep_packing(store.maintenance, None), 10)


async def test_while_the_store_is_away_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.01)
    async with Store(f"sqlite:///{tmp_path}/gone/none.db") as store:
        purging = asyncio.create_task(keep_purging(store.maintenance, 1.0))
        async with asyncio.timeout(10):
            while caplog.text.count("stay as they are for another hour") < 2:
                await asyncio.sleep(0.01)
        assert not purging.done()
        purging.cancel()


async def _submit(store: Store) -> Any:
    spec = JobSpec(messages=(say("user", "Why?"),), policy="sequential")
    return (await store.jobs.submit(NewJob(spec=spec, policy_version="v", trace_id="0" * 32))).job.id
