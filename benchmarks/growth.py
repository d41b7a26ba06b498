"""How work and memory grow: with the branches of a job, with jobs and events in the store, with followers and tenants.

    python benchmarks/growth.py [--branches 1000,10000,100000] [--events 50000,500000] [--jobs 100000,1000000]
                                [--purged 100000] [--packed 20000] [--followers 1000] [--queued 5000]
                                [--running 200] [--database URL] [--only branches,store]

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
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import httpx
from benchmarks.growth_packing import pack_filled
from benchmarks.growth_scene import SilentPool, counted, has_ended, organizing, submit, until
from benchmarks.growth_store import ask_filled
from tests.service.organizer import long_journals

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId, JobId
from anabranch.service import loops
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.link.links import Links
from anabranch.service.settings import Settings
from anabranch.service.store.rows import Claim
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.pool.local import LocalPool


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
    loops.switch_quickly()  # as the service does
    loops.spare_what_is_loaded()
    parts: dict[str, Callable[[Store], Awaitable[None]]] = {
        "branches": partial(grow_branches, widths=widths),
        "memory": partial(weigh_branches, widths=widths),
        "tenants": partial(take_turns, queued=options.queued),
        "followers": partial(follow, followers=options.followers),
        "resume": partial(resume, sizes=lengths),
        "poll": partial(poll, running=options.running),
        "store": partial(ask_filled, sizes=sizes, purged=options.purged),
        "packing": partial(pack_filled, size=options.packed),
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
    parser.add_argument("--packed", type=int, default=20_000, help="jobs whose journals are packed")
    parser.add_argument("--running", type=int, default=200, help="jobs, while they are listed")
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--queued", type=int, default=5000, help="jobs of one tenant")
    parser.add_argument(
        "--database", help="URL of an empty PostgreSQL database; several parts need --only each"
    )
    parser.add_argument(
        "--only", help="some of: branches, memory, tenants, followers, resume, poll, store, packing"
    )
    loops.run(main(parser.parse_args()))
