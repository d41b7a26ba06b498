"""How work and memory grow: with the branches of a job, with jobs and events in the store, with followers and tenants.

    python benchmarks/growth.py [--branches 1000,10000,100000] [--events 50000,500000] [--jobs 100000,1000000]
                                [--purged 100000] [--followers 1000] [--queued 5000] [--running 200] [--database URL]
                                [--only branches,store]

What is counted (statements, records, bytes) says whether something grows as it should, on any machine; processor time
says how much it is. A PostgreSQL URL names an empty database; without one it is SQLite in a temporary folder. A million
jobs have eleven million events, and take 10 GB.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import httpx
from benchmarks.filled_store import FIRST, fill
from sqlalchemy import Engine, event, text
from tests.chaos.world import PlainChecks
from tests.service.organizer import long_journals

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId, JobId
from anabranch.service import loops
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.link.links import Links
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import Settings
from anabranch.service.store.rows import Claim
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.pool.local import LocalPool
from anabranch.workers.pool.protocol import PoolLoad

ROUNDS = 20


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


async def grow_branches(store: Store, widths: Sequence[int]) -> None:
    """One job of so many branches, from its submission to its answer."""
    print(f"{'branches':>10}{'events':>10}{'cpu us/branch':>15}{'statements':>12}{'rows/statement':>16}")
    pool = LocalPool(ScriptedEngine(lambda _: Line(text="\\boxed{42}")))
    async with organizing(store, pool) as organizer:
        for n in widths:
            with counted() as statements:
                began = time.process_time()
                job = await submit(store, n)
                organizer.nudge(job)
                await until(partial(has_ended, store, job))
                spent = time.process_time() - began
            events = (await store.jobs.get(job)).head_seq
            print(
                f"{n:10,}{events:10,}{1e6 * spent / n:15.0f}{statements[0]:12,}{events / statements[0]:16.1f}",
                flush=True,
            )
    await pool.close()


async def weigh_branches(store: Store, widths: Sequence[int]) -> None:
    """What an organizer keeps of a branch that decodes."""
    print(f"{'live branches':>14}{'kB each':>10}")
    for number, n in enumerate([64, *widths]):  # the first one loads what all need
        pool = SilentPool()
        async with organizing(store, pool) as organizer:
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            organizer.nudge(await submit(store, n))

            async def taken(pool: SilentPool = pool, n: int = n) -> bool:
                return pool.taken >= n

            await until(taken)
            after, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        if number:
            print(f"{n:14,}{(after - before) / n / 1000:10.2f}", flush=True)


ASKED = {
    "a list": "/v1/jobs",
    "a list of a small tenant": "/v1/jobs?tenant=small",
    "failed jobs (none)": "/v1/jobs?status=failed",
    "the most tokens": "/v1/jobs?sort=tokens",
    "a search that finds many": "/v1/jobs?q=question",
    "a search that finds one": "/v1/jobs?q=needle",
    "a search that finds none": "/v1/jobs?q=pitchfork",
    "gates": "/v1/approvals",
    "a journal": "/v1/jobs/{job}/events",
    "its graph": "/v1/jobs/{job}/graph",
    "/metrics": "/metrics",
    "/readyz": "/readyz",
}


async def ask_filled(store: Store, sizes: Sequence[int], purged: int) -> None:
    """What requests, and a job from its submission to its answer, cost beside so many jobs that have ended."""
    pool = LocalPool(ScriptedEngine(lambda _: Line(text="\\boxed{42}")))
    job = await run_one(store, pool)
    deps = Dependencies(
        settings=Settings(), store=store, feed=Feed(store.journal), organizers=Links(store.organizers)
    )
    transport = httpx.ASGITransport(create_app(deps))
    there = 0
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        for size in sizes:
            began = time.process_time()
            await fill(store, job, range(there, size))
            took = 1e6 * (time.process_time() - began) / (size - there)
            events, there = size * (await store.jobs.get(job)).head_seq, size
            print(f"{size:,} jobs, {events:,} events, {await weigh(store) / events:.0f} bytes an event with all that "
                  f"folds from it; written in {took:.0f} us of processor time a job", flush=True)  # fmt: skip
            for what, path in ASKED.items():
                spent, statements = await ask(client, path.format(job=job))
                print(f"{1000 * spent:9.1f} ms{statements:4} statements  {what}", flush=True)
            with counted() as statements_of_run:
                began = time.perf_counter()
                for _ in range(ROUNDS):
                    await run_one(store, pool)
                spent = 1000 * (time.perf_counter() - began) / ROUNDS
            print(
                f"{spent:9.1f} ms{statements_of_run[0] // ROUNDS:4} statements  a job of one branch",
                flush=True,
            )
    await pool.close()
    await purge(store, purged)


async def run_one(store: Store, pool: LocalPool) -> JobId:
    """A job of one branch, to its answer."""
    async with organizing(store, pool) as organizer:
        organizer.nudge(job := await submit(store, 1))
        await until(partial(has_ended, store, job))
    return job


async def ask(client: httpx.AsyncClient, path: str) -> tuple[float, int]:
    """Seconds, the median of ROUNDS, and statements of one. The first is for caches and plans."""
    seconds = []
    for _ in range(ROUNDS + 1):
        with counted() as statements:
            began = time.perf_counter()
            (await client.get(path)).raise_for_status()
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:]), statements[0]


async def weigh(store: Store) -> int:
    """Bytes of the database."""
    whole = text(
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        if store.database.sqlite
        else "SELECT pg_database_size(current_database())"
    )
    return int(await store.database.read(lambda connection: connection.execute(whole).scalar_one()))


async def purge(store: Store, count: int) -> None:
    """A purge of the oldest, and how long a commit of somebody else waits beside it."""
    waits: list[float] = []

    async def commit_beside() -> None:
        while True:
            began = time.perf_counter()
            await store.queue.heartbeat("bench", 60.0)
            waits.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.01)

    beside = asyncio.create_task(commit_beside())
    began = time.perf_counter()
    gone = await store.maintenance.purge(FIRST + timedelta(seconds=count))
    took = time.perf_counter() - began
    beside.cancel()
    await asyncio.gather(beside, return_exceptions=True)
    waits.sort()
    print(f"purged {gone:,} jobs in {took:.1f} s; a commit beside it took p50 {statistics.median(waits):.1f} ms, "
          f"p99 {waits[int(0.99 * (len(waits) - 1))]:.1f}, longest {waits[-1]:.1f}", flush=True)  # fmt: skip


async def take_turns(store: Store, queued: int) -> None:
    """So many jobs of one tenant, then one of another: how many are claimed before that one."""
    for _ in range(queued):
        await submit(store, 1, "busy")
    other = await submit(store, 1, "quiet")
    place, claimed = 0, 0
    with counted() as statements:
        began = time.process_time()
        while not place:
            for claim in await store.queue.claim("bench", 60.0, 16, 32):
                claimed += 1
                place = claimed if claim.job == other else place
        spent = 1000 * (time.process_time() - began)
    print(f"{queued:,} queued jobs of one tenant: the other's is claimed as number {place}, after "
          f"{statements[0]} statements and {spent:.0f} ms of processor time", flush=True)  # fmt: skip


async def resume(store: Store, sizes: Sequence[int]) -> None:
    """Long journals, of waves of 50 branches, whose last decode was not answered, taken up by an organizer."""
    print(f"{'events':>10}{'cpu us/event':>14}{'MiB at most':>13}{'MiB kept':>10}{'bytes/event in passing':>24}"
          f"{'longest hold of the loop, ms':>31}")  # fmt: skip
    for size in sizes:
        count = max(1, size // (50 * 4 + 2))
        job = await long_journals.write(store, long_journals.new_job(count, 50))
        head = (await store.jobs.get(job)).head_seq
        for traced in (False, True):
            holds: list[float] = []
            ticking = asyncio.create_task(tick(holds))
            silent = SilentPool()
            gc.collect()
            if traced:
                tracemalloc.start()
            began = time.process_time()
            async with organizing(store, silent) as organizer:
                organizer.nudge(job)

                async def goes_on(silent: SilentPool = silent) -> bool:
                    return silent.taken > 0

                await until(goes_on)
                if traced:
                    kept, most = tracemalloc.get_traced_memory()
                else:
                    spent, longest = time.process_time() - began, max(holds)
            tracemalloc.stop()
            ticking.cancel()
        print(f"{head:10,}{1e6 * spent / head:14.0f}{most / 2**20:13.0f}{kept / 2**20:10.0f}"
              f"{(most - kept) / head:24.1f}{1000 * longest:31.0f}", flush=True)  # fmt: skip
        await store.jobs.request_cancel(job, "measured")


async def tick(holds: list[float]) -> None:
    """Tells for how long nothing else had a turn on this loop."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        holds.append(time.perf_counter() - began)


async def poll(store: Store, running: int) -> None:
    """So many running jobs of 50 branches, and a list of jobs every second, in one process and on one event loop."""
    text = Line(text="word " * 600 + "\\boxed{42}")
    pool = LocalPool(ScriptedEngine(lambda _: text, tokens_per_second=20.0))
    deps = Dependencies(
        settings=Settings(), store=store, feed=Feed(store.journal), organizers=Links(store.organizers)
    )
    transport = httpx.ASGITransport(create_app(deps))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
        organizing(store, pool) as organizer,
    ):
        for _ in range(running):
            await submit(store, 50)
        organizer.nudge()

        async def begun() -> bool:
            return pool.load().decoding >= 50 * running

        await until(begun)
        began, seconds = time.process_time(), []
        for _ in range(10):
            asked = time.perf_counter()
            (await client.get("/v1/jobs")).raise_for_status()
            seconds.append(time.perf_counter() - asked)
            await asyncio.sleep(1.0)
        cores = (time.process_time() - began) / (10.0 + sum(seconds))
        told = f"p50 {1000 * statistics.median(seconds):.0f} ms, longest {1000 * max(seconds):.0f}"
        print(
            f"{running} running jobs of 50 branches: a list takes {told}; all of it {cores:.2f} cores",
            flush=True,
        )
    await pool.close()


async def follow(store: Store, followers: int) -> None:
    """From commit to receipt: all follow one job, then each a job of its own."""
    for many in (1, followers):
        followed = [await submit(store, 1) for _ in range(many)]
        taken: list[float] = []
        feed = Feed(store.journal)
        feed.linked(all_of_them=True)
        committed: dict[JobId, float] = {}

        async def read(job: JobId, feed: Feed = feed, taken: list[float] = taken,
                       committed: dict[JobId, float] = committed) -> None:  # fmt: skip
            with feed.follow(job) as follower:
                while True:
                    if not await follower.read():
                        await follower.news(60.0)
                    elif follower.seq > 1:
                        taken.append(1000 * (time.perf_counter() - committed[job]))
                    if follower.seq >= 21:
                        return

        readers = [asyncio.create_task(read(followed[n % many])) for n in range(followers)]
        claims: dict[JobId, Claim] = {}
        began = time.process_time()
        while len(claims) < many:
            claims |= {claim.job: claim for claim in await store.queue.claim("bench", 600.0, 256)}
        await asyncio.sleep(0.5)
        for number in range(20):
            for job in followed:
                forked = e.BranchForked(child=BranchId(f"0.{number + 1}"), role="sample")
                await store.journal.append(job, claims[job].epoch, [forked])
                committed[job] = time.perf_counter()
                feed.reached(job, number + 2)
        await asyncio.gather(*readers)
        spent = time.process_time() - began
        await feed.close()
        taken.sort()
        print(f"{followers:,} followers of {many:,} jobs: {1e6 * spent / followers / 20:.0f} us of processor time "
              f"for each event told; from commit to receipt p50 {statistics.median(taken):.1f} ms, "
              f"p99 {taken[int(0.99 * (len(taken) - 1))]:.1f}", flush=True)  # fmt: skip


async def main(options: argparse.Namespace) -> None:
    widths, sizes, lengths = (
        [int(n) for n in each.split(",")] for each in (options.branches, options.jobs, options.events)
    )
    long_journals.enter()
    parts: dict[str, Callable[[Store], Awaitable[None]]] = {
        "branches": partial(grow_branches, widths=widths),
        "memory": partial(weigh_branches, widths=widths),
        "tenants": partial(take_turns, queued=options.queued),
        "followers": partial(follow, followers=options.followers),
        "resume": partial(resume, sizes=lengths),
        "poll": partial(poll, running=options.running),
        "store": partial(ask_filled, sizes=sizes, purged=options.purged),
    }
    wanted = options.only.split(",") if options.only else [*parts]
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            url = options.database or f"sqlite:///{Path(folder) / 'growth.db'}"
            await schema.upgrade(url)
            async with Store(url) as store:
                print(f"\n== {name}", flush=True)
                await parts[name](store)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--branches", default="1000,10000,100000", help="of one job")
    parser.add_argument("--events", default="50000,500000", help="of journals that are taken up again")
    parser.add_argument("--jobs", default="100000,1000000", help="that have ended, in the store")
    parser.add_argument("--purged", type=int, default=100_000, help="of these")
    parser.add_argument("--running", type=int, default=200, help="jobs, while they are listed")
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--queued", type=int, default=5000, help="jobs of one tenant")
    parser.add_argument(
        "--database", help="URL of an empty PostgreSQL database; several parts need --only each"
    )
    parser.add_argument("--only", help="some of: branches, memory, tenants, followers, resume, poll, store")
    loops.run(main(parser.parse_args()))
