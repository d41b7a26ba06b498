"""How work and memory grow: with the branches of a job, with jobs and events in the store, with followers and tenants.

    python benchmarks/growth.py [--branches 1000,10000,100000] [--jobs 100000] [--events 500000] [--followers 1000]
                                [--queued 5000] [--database URL] [--only branches,purge]

What is counted (statements, records, bytes) says whether something grows as it should, on any machine; processor time
says how much it is. A PostgreSQL URL names an empty database; without one it is SQLite in a temporary folder. What
lists, searches and probes of a filled store cost is told by `listings.py`.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from sqlalchemy import Connection, Engine, event, insert
from tests.chaos.world import PlainChecks

from anabranch.dag import events as e
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.policy import policy_named
from anabranch.dag.text import say
from anabranch.service import loops
from anabranch.service.api.live.feed import Feed
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.codec import spec_to_json
from anabranch.service.store.identity import new_id
from anabranch.service.store.rows import Claim, NewJob
from anabranch.service.store.sql import schema
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.store import Store
from anabranch.workers.engines.protocol import Chunk
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.local import LocalPool
from anabranch.workers.pool.protocol import PoolLoad

AT_ONCE = 2000


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
    spec = JobSpec(
        messages=(say("user", "What is six times seven?"),),
        policy="self-consistency",
        params={"n": n, "stop": "all"},
    )
    version, wide = policy_named(spec.policy).version, Limits(width=max(n, Limits().width))
    new = NewJob(spec=spec, policy_version=version, limits=wide, trace_id="a" * 32, tenant=tenant)
    return (await store.jobs.submit(new)).job.id


async def until(there: Callable[[], Awaitable[bool]]) -> None:
    while not await there():  # noqa: ASYNC110 - as a client would
        await asyncio.sleep(0.02)


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

                async def ended(job: JobId = job) -> bool:
                    return (await store.jobs.get(job)).finished_at is not None

                await until(ended)
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


async def fill(store: Store, count: int) -> None:
    """So many ended jobs, with a journal of one event, written by SQL."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    spec = JobSpec(messages=(say("user", "What is six times seven?"),), policy="sequential")
    for start in range(0, count, AT_ONCE):
        rows = [_ended(at + timedelta(seconds=n), spec) for n in range(start, min(start + AT_ONCE, count))]
        await store.database.write(partial(Connection.execute, statement=insert(jobs), parameters=rows))


def _ended(at: datetime, spec: JobSpec) -> dict[str, object]:
    when = dict.fromkeys(("created_at", "head_at", "turn", "started_at", "finished_at"), at)
    return {
        **when,
        "id": new_id(),
        "tenant": "default",
        "trace_id": "0" * 32,
        "head_seq": 1,
        "head_hash": "0" * 64,
        "wake": False,
        "phase": "succeeded",
        "question": spec.question,
        "policy": spec.policy,
        "priority": 5,
        "spec": spec_to_json(spec),
        "policy_version": "v1",
    }


async def purge(store: Store, count: int) -> None:
    """A purge, and how long a commit of somebody else waits beside it."""
    await fill(store, count)
    waits: list[float] = []

    async def commit_beside() -> None:
        while True:
            began = time.perf_counter()
            await store.queue.heartbeat("bench", 60.0)
            waits.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.01)

    beside = asyncio.create_task(commit_beside())
    began = time.perf_counter()
    gone = await store.maintenance.purge(datetime(2027, 1, 1, tzinfo=UTC))
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


class StoppingEngine(ScriptedEngine):
    """Answers so many decodes, and no more."""

    def __init__(self, answers: int) -> None:
        super().__init__(lambda _: Line(text="\\boxed{42}"))
        self.left = answers

    async def decode(self, request: DecodeRequest) -> AsyncGenerator[Chunk, None]:
        self.left -= 1
        if self.left < 0:
            await asyncio.Event().wait()
        async for chunk in super().decode(request):
            yield chunk


async def resume(store: Store, events: int) -> None:
    """A long journal, whose last sample was not answered yet, taken up by another organizer."""
    n = max(2, events // 5)
    job, engine = await submit(store, n), StoppingEngine(n - 1)
    pool = LocalPool(engine)
    async with organizing(store, pool) as organizer:
        organizer.nudge(job)

        async def only_one_is_missing() -> bool:
            return engine.left < 0 and (await store.jobs.get(job)).head_seq >= 4 * n

        await until(only_one_is_missing)
    await pool.close()
    row = await store.jobs.get(job)
    silent = SilentPool()
    tracemalloc.start()
    began = time.process_time()
    async with organizing(store, silent) as organizer:
        organizer.nudge(job)

        async def goes_on() -> bool:
            now = await store.jobs.get(job)
            return now.head_seq > row.head_seq or now.finished_at is not None

        await until(goes_on)
        _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    spent = time.process_time() - began
    print(f"resumed a journal of {row.head_seq:,} events: {spent:.1f} s of processor time (traced), at most "
          f"{most / 2**20:.0f} MiB, {most / row.head_seq:.0f} bytes an event", flush=True)  # fmt: skip


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
    widths = [int(n) for n in options.branches.split(",")]
    parts: dict[str, Callable[[Store], Awaitable[None]]] = {
        "branches": partial(grow_branches, widths=widths),
        "memory": partial(weigh_branches, widths=widths),
        "tenants": partial(take_turns, queued=options.queued),
        "followers": partial(follow, followers=options.followers),
        "resume": partial(resume, events=options.events),
        "purge": partial(purge, count=options.jobs),
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
    parser.add_argument("--jobs", type=int, default=100_000, help="that are purged")
    parser.add_argument("--events", type=int, default=500_000, help="of a journal that is resumed")
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--queued", type=int, default=5000, help="jobs of one tenant")
    parser.add_argument(
        "--database", help="URL of an empty PostgreSQL database; several parts need --only each"
    )
    parser.add_argument("--only", help="some of: branches, memory, tenants, followers, resume, purge")
    loops.run(main(parser.parse_args()))
