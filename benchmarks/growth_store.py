"""What requests, jobs and a purge cost beside many jobs that have ended: the part `store` of `growth.py`."""

import asyncio
import statistics
import time
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
from benchmarks.filled_store import FIRST, fill
from benchmarks.growth_scene import counted, has_ended, organizing, submit, until
from sqlalchemy import text

from anabranch.dag.ids import JobId
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.link.links import Links
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.pool.local import LocalPool

ROUNDS = 20

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
    gone = await beside_commits(store, store.maintenance.purge(FIRST + timedelta(seconds=count)), "a purge")
    print(f"purged {gone:,} jobs", flush=True)


async def beside_commits(store: Store, work: Coroutine[Any, Any, int], name: str) -> int:
    """What this work returns; prints how long it takes, and how long a commit of somebody else waits beside it."""
    waits: list[float] = []

    async def commit_beside() -> None:
        while True:
            began = time.perf_counter()
            await store.queue.heartbeat("bench", 60.0)
            waits.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.01)

    beside = asyncio.create_task(commit_beside())
    began, worked = time.perf_counter(), time.process_time()
    done = await work
    took, spent = time.perf_counter() - began, time.process_time() - worked
    beside.cancel()
    await asyncio.gather(beside, return_exceptions=True)
    waits.sort()
    print(f"{name} took {took:.1f} s, {spent:.1f} s of processor time here; a commit beside it p50 "
          f"{statistics.median(waits):.1f} ms, p99 {waits[int(0.99 * (len(waits) - 1))]:.1f}, longest {waits[-1]:.1f}",
          flush=True)  # fmt: skip
    return done
