"""A long journal is taken up page by page: beside what the run itself needs, memory does not grow with it."""

import gc
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from tests.databases import BOTH, Databases
from tests.service.organizer import long_journals
from tests.service.organizer.conftest import NoChecks

from anabranch.dag import events as e
from anabranch.dag import policy
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.job import Budget, JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.text import say
from anabranch.service.organizer.job.past import Past
from anabranch.service.organizer.job.resume import Resuming
from anabranch.service.organizer.job.run import JobRun
from anabranch.service.organizer.left_jobs import LeftJobs
from anabranch.service.organizer.live import Live
from anabranch.service.organizer.mark import Mark
from anabranch.service.organizer.taking import Taking
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.jobs.suspicions import Loss
from anabranch.service.store.journal import writer
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.pool.local import LocalPool

PAGE = 50


@pytest.fixture(params=BOTH)
def url(databases: Databases, request: pytest.FixtureRequest) -> str:
    return databases.new(str(request.param))


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with Store(url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pages, and the policy of these journals in a catalogue that is forgotten."""
    monkeypatch.setattr(writer, "PAGE", PAGE)
    monkeypatch.setattr(policy, "_CATALOGUE", dict(policy.catalogue()))
    long_journals.enter()


class Nobody:
    def nudge(self, job: JobId | None = None) -> None: ...

    def load(self) -> Any: ...


def taking(store: Store) -> Taking:
    return Taking(
        store,
        LocalPool(ScriptedEngine(lambda _: Line(text="42"))),
        cast("Any", NoChecks()),
        Live(store.told_texts, Nobody()),
        LeftJobs(store.programs),
        Traces(store, "scripted"),
        name="second",
        now=time.time,
        mark=Mark.private(),
    )


async def take_up(store: Store, job: JobId) -> JobRun:
    (claim,) = await store.queue.claim("second", 60.0, 10)
    assert (claim.job, claim.journal) == (job, ())
    return await taking(store).take_up(claim)


async def passing(store: Store, count: int) -> tuple[int, int]:
    """Bytes that a take-up needs and gives back, and events of the journal."""
    job = await long_journals.write(store, long_journals.new_job(count, 8))
    gc.collect()
    tracemalloc.start()
    try:
        run = await take_up(store, job)
        gc.collect()
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not run.over
    return most - kept, (await store.jobs.get(job)).head_seq


async def test_a_journal_of_four_times_the_length_is_taken_up_with_no_more_memory_in_passing(
    store: Store,
) -> None:
    await passing(store, 2)  # what is loaded once
    short, events = await passing(store, 10)
    long, more_events = await passing(store, 40)
    assert more_events > 3.9 * events > 15 * PAGE / 2
    # A record that is kept takes 900 bytes. What is seen of tables that are copied when they grow, and of what the
    # collector has not yet come to, was 65 to 165.
    grown = (long - short) / (more_events - events)
    assert grown < 500, f"{short} bytes for {events} events, {long} for {more_events}"


async def test_it_is_computed_in_threads_and_what_comes_of_it_is_the_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page is larger than it may be, and none is computed on the event loop."""
    job = await long_journals.write(store, long_journals.new_job(10, 8), unanswered=3)
    pages: list[int] = []
    add = Resuming.add

    def heard(self: Resuming, page: Any) -> None:
        assert threading.current_thread() is not threading.main_thread()
        pages.append(len(page))
        add(self, page)

    monkeypatch.setattr(Resuming, "add", heard)
    run = await take_up(store, job)
    records = await store.journal.read(job)
    assert sum(pages) == len(records)
    assert set(pages[:-1]) == {PAGE}
    assert not run.over
    last = [record.event.branch for record in records if isinstance(record.event, e.SegmentStarted)][-3:]
    owed = [partial.branch for partial in run._texts]
    assert owed == last


async def test_of_a_poisoned_job_only_what_came_since_its_first_suspicion_is_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await long_journals.write(store, long_journals.new_job(10, 8))
    head = (await store.jobs.get(job)).head_seq
    for _ in range(3):
        (claim,) = await store.queue.claim("lost", 60.0, 10)
        await store.journal.append(job, claim.epoch, [e.JobClaimed(owner="lost", attempt=claim.attempt)])
        await store.suspicions.record(job, claim.epoch, Loss.ENDED)
        await store.queue.release(job, claim.epoch, 0.0)
    looked: list[int] = []
    pages = store.journal.pages

    def heard(job: JobId, after_seq: int = 0) -> Any:
        looked.append(after_seq)
        return pages(job, after_seq)

    monkeypatch.setattr(store.journal, "pages", heard)
    (claim,) = await store.queue.claim("second", 60.0, 10)
    with pytest.raises(Exception, match="It got nowhere 3 times"):
        await taking(store).take_up(claim)
    assert looked == [head + 1, 0]  # then once more, to be closed
    row = await store.jobs.get(job)
    assert (row.status, row.error and row.error["type"]) == ("failed", "poison")
    assert (await store.maintenance.audit(job)).sound


def test_of_what_has_ended_no_deadline_and_no_open_segment_is_kept() -> None:
    past = Past(Budget(branch_seconds=60.0), Limits())
    spec = JobSpec(messages=(say("user", "?"),), policy="waves")
    for record in records_of(
        e.JobSubmitted(spec=spec, policy_version="v"),
        *(e.BranchForked(child=BranchId(f"0.{n}"), role="sample") for n in (1, 2)),
        *(e.SegmentStarted(branch=BranchId(f"0.{n}"), segment=1) for n in (1, 2)),
        e.SegmentFinished(
            branch=BranchId("0.1"), segment=1, attempt=1, decoded=Decoded(text="", finish=Finish.EOS)
        ),
        e.BranchReturned(branch=BranchId("0.1"), value=""),
    ):
        past.add(record)
    assert past.opened == {"0.2": 5}
    assert past.due.keys() == {"0.2"}
    assert past.seq == 7


def records_of(*events: e.Event) -> list[e.Record]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        e.Record(job=JobId("j"), seq=seq, epoch=1, at=at, event=event, prev_hash="", hash="")
        for seq, event in enumerate(events, start=1)
    ]
