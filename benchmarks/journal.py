"""What it costs to make a fork of 16 branches durable, beside a bare commit of one changed row in the same run.

    python benchmarks/journal.py [DATABASE_URL]…

Without a URL: SQLite in a temporary folder. A PostgreSQL URL names an empty database. Milliseconds per append; the best
and the 10th percentile are the least bent by whatever else the machine does.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import text

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Timing, Usage
from anabranch.dag.ids import TRUNK, child_of
from anabranch.dag.job import JobSpec
from anabranch.dag.text import Reading, say
from anabranch.service.store.rows import Claim, NewJob
from anabranch.service.store.sql import schema
from anabranch.service.store.sql.database import Database
from anabranch.service.store.store import Store

ROUNDS = 200
WIDTH = 16
CROWD = 32
THOUGHT = "Let us see what follows from the second equation. " * 20
CHILDREN = tuple(child_of(TRUNK, ordinal) for ordinal in range(1, WIDTH + 1))

FORK: list[e.Event] = [
    *(
        e.BranchForked(
            child=child,
            role="worker",
            label="a part",
            reading=Reading(messages=(say("user", THOUGHT[:200]),)),
        )
        for child in CHILDREN
    ),
    e.JoinRequested(join=1, targets=CHILDREN, mode=e.Mode.ALL, count=WIDTH),
]
START: list[e.Event] = [e.SegmentStarted(branch=child, segment=1, max_tokens=512) for child in CHILDREN]
DECODED = Decoded(
    text=THOUGHT,
    finish=Finish.EOS,
    usage=Usage(prompt_tokens=100, completion_tokens=200),
    timing=Timing(submitted=1e9, admitted=1e9, scheduled=1e9, first_token=1e9, finished=1e9),
    replica="r1",
    engine="scripted",
)
JOIN: list[e.Event] = [
    *(e.SegmentFinished(branch=child, segment=1, attempt=1, decoded=DECODED) for child in CHILDREN),
    *(e.BranchReturned(branch=child, value="42") for child in CHILDREN),
    e.BranchesJoined(join=1, joined=CHILDREN),
]

T = TypeVar("T")
Times = defaultdict[str, list[float]]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for url in sys.argv[1:] or [f"sqlite:///{Path(folder) / 'journal.db'}"]:
            report(url.split("://", maxsplit=1)[0], asyncio.run(measured(url)))


async def measured(url: str) -> Times:
    await schema.upgrade(url)
    times: Times = defaultdict(list)
    bare = Database(url)
    async with Store(url) as store:
        for _ in range(ROUNDS):
            claim = await claimed(store)
            await timed(
                times, f"fork, {len(FORK)} events", store.journal.append(claim.job, claim.epoch, FORK)
            )
            await timed(
                times, f"start, {len(START)} events", store.journal.append(claim.job, claim.epoch, START)
            )
            await timed(
                times, f"join, {len(JOIN)} events", store.journal.append(claim.job, claim.epoch, JOIN)
            )
            await timed(times, "bare commit", commit(bare, claim))
        for _ in range(ROUNDS // 20):
            claims = [await claimed(store) for _ in range(CROWD)]
            forks = [store.journal.append(claim.job, claim.epoch, FORK) for claim in claims]
            await timed(times, f"{CROWD} jobs fork at once", asyncio.gather(*forks))
    await bare.close()
    return times


async def claimed(store: Store) -> Claim:
    spec = JobSpec(messages=(say("user", "What is 6 × 7?"),), policy="sequential")
    await store.jobs.submit(NewJob(spec=spec, policy_version="benchmark", trace_id="0" * 32))
    (claim,) = await store.queue.claim("benchmark", 3600.0, 1)
    return claim


async def commit(database: Database, claim: Claim) -> None:
    change = text("UPDATE jobs SET attempt = attempt + 1 WHERE id = :job")
    await database.write(lambda connection: connection.execute(change, {"job": claim.job}))


async def timed(times: Times, what: str, doing: Awaitable[T]) -> T:
    begin = time.perf_counter()
    done = await doing
    times[what].append((time.perf_counter() - begin) * 1000)
    return done


def report(database: str, times: Times) -> None:
    print(f"{database:40} {'best':>8} {'p10':>8} {'p50':>8} {'p95':>8}")
    for what, taken in times.items():
        spread = statistics.quantiles(taken, n=20)
        print(f"  {what:38} {min(taken):8.2f} {spread[1]:8.2f} {spread[9]:8.2f} {spread[-1]:8.2f}")


if __name__ == "__main__":
    main()
