"""Fills a store with copies of a job that was run: whole journals with hash chains of their own, and all tables' rows.

Each copy has another id, tenant, question and time; what it would take an hour to run is there in minutes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text

from anabranch.dag.ids import JobId
from anabranch.dag.journal.chain import GENESIS, Link, link_hash
from anabranch.service.store.identity import new_id
from anabranch.service.store.journal.records import link_of_row, row_of_link
from anabranch.service.store.sql import tables
from anabranch.service.store.store import Store

AT_ONCE = 1000
"""Jobs per transaction."""
COPIED = (tables.branches, tables.segments, tables.joins)
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
WORDS = "how many ways lead from here to there question answer prove that sum".split()

Row = dict[str, Any]


async def fill(store: Store, job: JobId, numbers: range) -> None:
    """Copies an ended job, once for each number; its tables are analyzed then, as PostgreSQL does some time later."""
    ended = await store.database.read(partial(_read, job=job))
    for start in range(numbers.start, numbers.stop, AT_ONCE):
        some = range(start, min(start + AT_ONCE, numbers.stop))
        await store.database.write(partial(_write, ended=ended, numbers=some))
    await store.database.migrate(_analyze)


def _read(connection: Connection, job: JobId) -> Mapping[Table, Sequence[Row]]:
    """What the tables hold of this job."""
    found = {
        each: connection.execute(select(each).where(each.c.job_id == job))
        for each in (tables.events, *COPIED)
    }
    rows = {each: [dict(row) for row in rows.mappings()] for each, rows in found.items()}
    whole = connection.execute(select(tables.jobs).where(tables.jobs.c.id == job)).mappings()
    return {tables.jobs: [dict(row) for row in whole], **rows}


def _write(connection: Connection, ended: Mapping[Table, Sequence[Row]], numbers: range) -> None:
    copies: dict[Table, list[Row]] = {each: [] for each in ended}
    (whole,) = ended[tables.jobs]
    links = [link_of_row(row) for row in ended[tables.events]]  # type: ignore[arg-type]
    written = {name: value for name, value in whole.items() if tables.jobs.c[name].computed is None}
    for number in numbers:
        job, later = JobId(new_id()), FIRST + timedelta(seconds=number) - whole["created_at"]
        copied = list(_chain(job, links, later))
        copies[tables.events] += map(row_of_link, copied)
        for table in COPIED:
            computed = {column.name for column in table.c if column.computed is not None}
            copies[table] += (
                {name: value for name, value in row.items() if name not in computed} | {"job_id": job}
                for row in ended[table]
            )
        copies[tables.jobs].append(
            {name: value + later if isinstance(value, datetime) else value for name, value in written.items()}
            | {"id": job, "head_hash": copied[-1].hash, **_told_apart(number)}
        )
    for table, rows in copies.items():
        connection.execute(insert(table), rows)


def _chain(job: JobId, links: Sequence[Link], later: timedelta) -> Iterator[Link]:
    before = GENESIS
    for link in links:
        copied = replace(link, job=job, at=link.at + later, prev_hash=before)
        copied = replace(copied, hash=link_hash(copied))
        before = copied.hash
        yield copied


def _told_apart(number: int) -> Row:
    """One job in 100,000 is of a small tenant; one of all asks where the needle is."""
    question = " ".join(Random(number).choices(WORDS, k=30)) + (" needle" if number == 1000 else "")
    return {"tenant": "small" if number % 100_000 == 3 else "large", "question": question}


def _analyze(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE jobs, events, branches, segments"))
