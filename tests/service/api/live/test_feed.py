"""The feed: one query for all readers, no gap, no repeat, and no reader that others wait for."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse

from anabranch.dag import events as e
from anabranch.dag.events import Record
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.text import say
from anabranch.service.api.live import feed as feed_module
from anabranch.service.api.live.feed import Feed
from anabranch.service.api.live.follower import Follower
from anabranch.service.api.live.load import Load
from anabranch.service.api.live.news import stream_events
from anabranch.service.api.routes.stream import PageStream
from anabranch.service.link.frames import Texts
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.rows import NewJob
from anabranch.service.store.store import Store


class Watched:
    """The store, with its reads counted, and broken when told to be."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.pages: list[JobId] = []
        self.looks: list[Mapping[JobId, int]] = []
        self.away = 0

    async def read_page(self, job: JobId, after_seq: int, limit: int) -> Sequence[Record]:
        self.pages.append(job)
        return await self._store.journal.read_page(job, after_seq, limit)

    async def read_many(self, after: Mapping[JobId, int]) -> Sequence[Record]:
        if self.away:
            self.away -= 1
            raise StoreAway(OSError("pulled out"))
        self.looks.append(after)
        return await self._store.journal.read_many(after)


@pytest.fixture
def watched(store: Store) -> Watched:
    return Watched(store)


@pytest.fixture
async def feed(watched: Watched) -> Any:
    opened = Feed(watched)
    yield opened
    await opened.close()


@pytest.fixture
async def job(store: Store) -> str:
    return await submit(store)


async def submit(store: Store) -> str:
    spec = JobSpec(messages=(say("user", "What is six times seven?"),), policy="sequential")
    return (await store.jobs.submit(NewJob(spec=spec, policy_version="v", trace_id="0" * 32))).job.id


async def fork(organizer: Any, job: str, *children: int) -> None:
    forked = [e.BranchForked(child=BranchId(f"0.{child}"), role="sample") for child in children]
    await organizer.append(job, *forked)


async def read_until(feed: Feed, follower: Follower, seq: int) -> list[int]:
    got: list[int] = []
    async with asyncio.timeout(20):
        while follower.seq < seq:
            records = await follower.read()
            got += [record.seq for record in records]
            if not records:
                await follower.news(1)
    return got


async def test_many_readers_of_many_jobs_cost_one_query_a_look(
    feed: Feed, watched: Watched, organizer: Any, store: Store
) -> None:
    jobs = [await submit(store) for _ in range(5)]
    followers = [feed.follow(JobId(job)) for job in jobs for _ in range(4)]
    for follower in followers:
        await read_until(feed, follower, 1)
        assert not await follower.read()
    pages = len(watched.pages)
    for job in jobs:
        await fork(organizer, job, 1, 2)
    got = await asyncio.gather(*(read_until(feed, follower, 4) for follower in followers))
    assert got == [[2, 3, 4]] * 20
    assert len(watched.pages) == pages, "nobody read a page of its own"
    assert all(set(look) <= set(jobs) for look in watched.looks)


async def test_a_word_of_one_job_costs_no_look_at_the_others(
    feed: Feed, organizer: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "LINKED_POLL_SECONDS", 600.0)
    feed.linked(all_of_them=True)
    jobs = [JobId(await submit(store)) for _ in range(30)]
    followers = {job: feed.follow(job) for job in jobs}
    for follower in followers.values():
        await read_until(feed, follower, 1)
        assert not await follower.read()
    first, *_ = jobs
    await fork(organizer, first, *range(1, 9))
    looked_at: list[int] = []
    heads = feed._heads

    def counted(among: Collection[JobId]) -> dict[JobId, int]:
        looked_at.append(len(among))
        return heads(among)

    monkeypatch.setattr(feed, "_heads", counted)
    for seq in range(2, 10):
        feed.reached(first, seq)
        await read_until(feed, followers[first], seq)
    assert looked_at
    assert max(looked_at) == 1


async def test_who_comes_later_catches_up_from_the_table(feed: Feed, organizer: Any, job: str) -> None:
    with feed.follow(JobId(job)) as early:
        await fork(organizer, job, *range(1, 20))
        await read_until(feed, early, 21)
        with feed.follow(JobId(job), after=5) as late:
            assert await read_until(feed, late, 21) == list(range(6, 22))
            await fork(organizer, job, 20)
            assert await read_until(feed, late, 22) == [22]


async def test_a_slow_reader_is_behind_and_may_skip_or_read_on(
    feed: Feed, organizer: Any, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "TAIL", 5)
    with feed.follow(JobId(job)) as quick, feed.follow(JobId(job)) as slow, feed.follow(JobId(job)) as slower:
        for follower in (quick, slow, slower):
            await read_until(feed, follower, 1)
            await follower.read()
        assert not slow.fell_behind
        await fork(organizer, job, *range(1, 30))
        await read_until(feed, quick, 31)
        assert slow.fell_behind
        assert await read_until(feed, slow, 31) == list(range(2, 32))
        slower.skip()
        assert (slower.seq, slower.fell_behind) == (31, False)
        await fork(organizer, job, 30)
        assert await read_until(feed, slower, 32) == [32]


async def test_while_the_store_is_away_readers_wait(
    feed: Feed, watched: Watched, organizer: Any, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "AWAY_SECONDS", 0.01)
    with feed.follow(JobId(job)) as follower:
        await read_until(feed, follower, 1)
        await follower.read()
        watched.away = 3
        await fork(organizer, job, 1)
        assert await read_until(feed, follower, 3) == [2, 3]
        assert watched.away == 0


async def test_nobody_looks_when_nobody_follows(
    feed: Feed, watched: Watched, organizer: Any, job: str
) -> None:
    with feed.follow(JobId(job)) as follower:
        await read_until(feed, follower, 1)
        await follower.read()
    poller = feed._poller
    assert poller is not None
    await asyncio.wait_for(poller, 5)
    looks = len(watched.looks)
    await fork(organizer, job, 1)
    assert len(watched.looks) == looks


async def test_a_client_that_is_gone_before_its_stream_begins_is_no_follower(feed: Feed, job: str) -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        await asyncio.sleep(0)  # a socket that takes nothing at present

    told = stream_events(feed, JobId(job), 0, Texts.NONE)
    await StreamingResponse(told)({"type": "http"}, receive, send)
    assert feed.followers(JobId(job)) == 0


async def test_an_ended_journal_is_not_looked_at_again(feed: Feed, organizer: Any, job: str) -> None:
    with feed.follow(JobId(job)) as follower:
        await read_until(feed, follower, 1)
        await organizer.answer(job)
        await read_until(feed, follower, 15)
        assert follower.ended
        assert feed._poller is not None
        await asyncio.wait_for(feed._poller, 5)


async def test_who_resumes_behind_the_end_reads_ratings_though_others_still_follow(
    feed: Feed, organizer: Any, store: Store, job: str
) -> None:
    with feed.follow(JobId(job)) as follower:
        await read_until(feed, follower, 1)
        await organizer.answer(job)
        await read_until(feed, follower, 15)
        await store.feedback.rate(JobId(job), "Eve", 1.0, "")
        with feed.follow(JobId(job), after=15) as resumed:
            assert [record.event for record in await resumed.read()] == [e.JobRated(author="Eve", score=1.0)]
            assert resumed.ended


async def test_what_stops_the_poller_is_told_to_its_readers(
    feed: Feed, watched: Watched, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(watched, "read_many", broken)
    with feed.follow(JobId(job)) as follower:
        await read_until(feed, follower, 1)
        await follower.read()
        with pytest.raises(RuntimeError, match="a fault"):
            await follower.news(0.2)


async def test_a_page_that_reads_too_slowly_is_told_to_read_again(
    app: FastAPI, organizer: Any, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "TAIL", 5)
    deps = app.state.deps
    page = PageStream(deps, None, Load(deps, None)).events({JobId(job): 1})
    await anext(page)  # the load; from here on the page is live
    with deps.feed.follow(JobId(job), after=1) as quick:
        await fork(organizer, job, *range(1, 30))
        await read_until(deps.feed, quick, 31)
    told = (await anext(page)).decode()
    assert told.startswith(f'event: resync\ndata: {{"job": "{job}", "after": 1}}\n\n')
    await fork(organizer, job, 30)
    assert '"child":"0.30"' in (await anext(page)).decode()
    assert isinstance(page, AsyncGenerator)
    await page.aclose()
