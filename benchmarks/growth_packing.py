"""What packed journals save, and what it costs to pack and to read them: the part `packing` of `growth.py`."""

import sqlite3
import statistics
import time
from contextlib import closing
from datetime import timedelta

import asyncpg
from benchmarks.filled_store import FIRST, fill
from benchmarks.growth_store import beside_commits, run_one, weigh
from sqlalchemy import text

from anabranch.dag.ids import JobId
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.pool.local import LocalPool

READ = 200
"""Journals that are read to tell how long one takes."""


async def pack_filled(store: Store, size: int) -> None:
    """Packs so many jobs of one branch; bytes are those of a database that was vacuumed."""
    pool = LocalPool(ScriptedEngine(lambda _: Line(text="\\boxed{42}")))
    job = await run_one(store, pool)
    await pool.close()
    await fill(store, job, range(size))
    events = size * (await store.jobs.get(job)).head_seq
    before = await tell(store, events, "rows")
    end = FIRST + timedelta(seconds=size)
    made = await beside_commits(store, store.maintenance.pack(end), f"packing {size:,} journals")
    after = await tell(store, events, "packs")
    print(f"{made:,} packs; all tables: {after / before:.2f} of before", flush=True)


async def tell(store: Store, events: int, kept_as: str) -> int:
    """Bytes of the database, and how long it takes to read a journal."""
    await vacuum(store)
    whole = await weigh(store)
    some = text(f"SELECT id FROM jobs WHERE finished_at IS NOT NULL ORDER BY finished_at LIMIT {READ}")
    ids = await store.database.read(lambda connection: connection.execute(some).scalars().all())
    seconds = []
    for one in ids:
        began = time.perf_counter()
        await store.journal.read(JobId(one))
        seconds.append(time.perf_counter() - began)
    print(
        f"{kept_as}: {whole / events:.0f} bytes an event, all tables; a journal is read in "
        f"{1000 * statistics.median(seconds):.1f} ms",
        flush=True,
    )
    return whole


async def vacuum(store: Store) -> None:
    """Gives back what deleted rows took, by a connection of its own: it is done in no transaction."""
    url = store.database.url
    if store.database.sqlite:
        with closing(sqlite3.connect(str(url.database), isolation_level=None)) as file:
            file.execute("VACUUM")
    else:
        connection = await asyncpg.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False)
        )
        await connection.execute("VACUUM FULL")
        await connection.close()
