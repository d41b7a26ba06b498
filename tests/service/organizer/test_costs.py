"""What one job costs in transactions and statements, which do not depend on how busy the machine is.

Whoever adds a statement to the way of every job changes a number here, and says why.
"""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event
from tests.service.organizer.conftest import House

from anabranch.service.telemetry.ids import TraceOrigin
from anabranch.service.telemetry.span import Span
from anabranch.service.telemetry.spans import spans_of
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest

Transaction = list[str]


class Written:
    """Listens to the connections that write, and keeps each transaction as the list of its statements."""

    def __init__(self) -> None:
        self.all: list[Transaction] = []
        self.read: list[str] = []
        """What was only read, meanwhile."""
        self._open: dict[object, Transaction] = {}
        """By connection: an organizer looks for work meanwhile, and finds none."""

    def execute(self, connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread().name.startswith("store-write"):
            self._open.setdefault(connection, []).append(" ".join(statement.split()))
        else:
            self.read.append(" ".join(statement.split()))

    def commit(self, connection: object) -> None:
        if statements := self._open.pop(connection, []):
            self.all.append(statements)

    def rollback(self, connection: object) -> None:
        self._open.pop(connection, None)

    def of(self, table: str) -> list[Transaction]:
        """The transactions that insert into this table."""
        return [each for each in self.all if any(one.startswith(f"INSERT INTO {table} ") for one in each)]

    @property
    def claims(self) -> list[Transaction]:
        """Those that claimed a job: they read its journal in the same transaction."""
        return [each for each in self.all if any("FROM events" in one for one in each)]


@pytest.fixture
def written() -> Iterator[Written]:
    listener = Written()
    event.listen(Engine, "before_cursor_execute", listener.execute)
    event.listen(Engine, "commit", listener.commit)
    event.listen(Engine, "rollback", listener.rollback)
    yield listener
    event.remove(Engine, "before_cursor_execute", listener.execute)
    event.remove(Engine, "commit", listener.commit)
    event.remove(Engine, "rollback", listener.rollback)


def forty_two(_request: DecodeRequest) -> Line:
    return Line(text="\\boxed{42}")


async def answer(house: House, n: int) -> None:
    """One job of n samples, from its submission to its trace."""
    job = await house.submit("self-consistency", {"n": n, "stop": "all"})
    await house.ended(job)
    async with asyncio.timeout(20):
        while not await house.store.spans.read(job):
            await asyncio.sleep(0.01)


async def test_a_job_of_one_sample_is_five_transactions(house: House, written: Written) -> None:
    async with house.organizer(forty_two):
        await answer(house, 1)
    submitted, started, ended = written.of("events")
    assert any(one.startswith("INSERT INTO jobs ") for one in submitted)
    assert (len(written.claims), len(written.of("spans"))) == (1, 1)
    assert [len(each) for each in (submitted, started, ended)] == [4, 8, 10]  # BEGIN included
    assert not [
        each for each in written.all if "lease_owner=NULL" in "".join(each)
    ]  # the last commit gave it back


async def test_statements_do_not_grow_with_the_width_of_a_job(house: House, written: Written) -> None:
    async with house.organizer(forty_two):
        await answer(house, 32)
    submitted, started, *ended = written.of("events")
    assert [len(submitted), len(started)] == [4, 8]
    assert all(len(each) <= 12 for each in ended)
    assert (len(written.claims), len(written.of("spans"))) == (1, 1)


async def test_traces_of_many_jobs_are_kept_together(house: House, written: Written) -> None:
    async with house.organizer(forty_two):
        jobs = [await house.submit("self-consistency", {"n": 1, "stop": "all"}) for _ in range(8)]
        for job in jobs:
            await house.ended(job)
    assert len(written.of("spans")) < len(jobs)


async def test_a_fresh_jobs_trace_is_drawn_without_reading_its_journal(
    house: House, written: Written
) -> None:
    async with house.organizer(forty_two):
        await answer(house, 4)
    assert not [one for one in written.read if "FROM events" in one]
    (job,) = (await house.store.jobs.list_page(limit=1)).items
    drawn = spans_of(await house.store.journal.read(job.id), TraceOrigin(job.trace_id), "scripted")
    assert by_id(await house.store.spans.read(job.id)) == by_id(drawn)


def by_id(spans: list[Span]) -> dict[str, Span]:
    return {span.span_id: span for span in spans}
