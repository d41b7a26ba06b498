"""Checkpoints, spans, and what is kept of jobs that are purged."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from tests.service.store.scenes import Steps, claimed, ended, forked, rows_of, submitted

from anabranch.dag.events import TERMINAL_OF_JOB
from anabranch.dag.ids import BranchId
from anabranch.dag.journal.chain import Head, verify
from anabranch.dag.status import JobStatus
from anabranch.service.store.errors import NotFound
from anabranch.service.store.maintenance.retention import purge_some
from anabranch.service.store.maintenance.steps import next_count
from anabranch.service.store.rows import Checkpoint
from anabranch.service.store.store import Store
from anabranch.service.telemetry.span import Kind, Link, Span, Status

A, B = BranchId("0.1"), BranchId("0.2")
TOMORROW = datetime.now(UTC) + timedelta(days=1)


def checkpoint(branch: BranchId, wrote: str, segment: int = 1) -> Checkpoint:
    return Checkpoint(branch=branch, segment=segment, attempt=1, text=wrote, tokens=len(wrote))


async def test_a_branchs_last_checkpoint_replaces_the_one_before(store: Store) -> None:
    job = (await submitted(store)).id
    await store.checkpoints.save(job, [checkpoint(A, "So"), checkpoint(B, "Now")])
    later = checkpoint(A, "So it\x00", segment=2)
    await store.checkpoints.save(job, [later])
    assert await store.checkpoints.read(job) == {
        A: checkpoint(A, "So it\ufffd", segment=2),
        B: checkpoint(B, "Now"),
    }


def span(name: str, start_ns: int, **more: Any) -> Span:
    fields: dict[str, Any] = {
        "trace_id": "ab" * 16,
        "span_id": f"{start_ns:016x}",
        "parent_span_id": None,
        "name": name,
        "kind": Kind.INTERNAL,
        "start_ns": start_ns,
        "end_ns": start_ns + 10,
        "status": Status.OK,
        "attributes": {"gen_ai.request.model": "m", "sources": ("0.1", "0.2"), "tokens": 3, "late": False},
        "links": (Link(span_id="cd" * 8, attributes={"branch": "0.1"}),),
    }
    return Span(**{**fields, **more})


async def test_spans_are_read_as_they_were_drawn_in_the_order_of_their_beginning(store: Store) -> None:
    job = (await submitted(store)).id
    now = 1_795_000_000_000_000_000
    root, child = span("job", now), span("chat m", now + 5, parent_span_id=f"{now:016x}", status=Status.ERROR)
    await store.spans.save({job: [child, root]})
    assert await store.spans.read(job) == [root, child]


async def test_a_span_that_is_drawn_again_replaces_its_older_self(store: Store) -> None:
    job = (await submitted(store)).id
    await store.spans.save({job: [span("job", 5, end_ns=6)]})
    await store.spans.save({job: [span("job", 5, end_ns=60), span("job", 7)]})
    await store.spans.save({job: []})
    assert await store.spans.read(job) == [span("job", 5, end_ns=60), span("job", 7)]


async def test_a_purge_takes_ended_jobs_with_all_that_is_theirs(store: Store) -> None:
    old = await ended(store)
    await store.checkpoints.save(old.id, [checkpoint(A, "So")])
    await store.spans.save({old.id: [span("job", 5)]})
    running = await claimed(store)
    await store.journal.append(running.job, running.epoch, forked(1))
    assert await store.maintenance.purge(TOMORROW) == 1
    with pytest.raises(NotFound):
        await store.jobs.get(old.id)
    for table in ("events", "branches", "segments", "joins", "approvals", "checkpoints", "spans"):
        assert not await rows_of(store, f"SELECT * FROM {table} WHERE job_id = :job", job=old.id), table
    assert (await store.maintenance.audit(running.job)).sound


async def test_an_export_made_before_the_purge_can_still_be_verified(store: Store) -> None:
    job = await ended(store)
    records = await store.journal.read(job.id)
    await store.maintenance.purge(TOMORROW)
    [row] = await rows_of(store, "SELECT job_id, last_seq, head_hash FROM purged")
    assert tuple(row) == (job.id, len(records), records[-1].hash)
    assert isinstance(records[-1].event, TERMINAL_OF_JOB)
    assert verify([], Head(seq=row.last_seq, hash=row.head_hash)) is not None


async def test_a_purge_spares_the_young_and_other_statuses(store: Store) -> None:
    job = await ended(store)
    assert job.finished_at is not None
    assert await store.maintenance.purge(job.finished_at) == 0
    assert await store.maintenance.purge(TOMORROW, [JobStatus.FAILED]) == 0
    assert await store.maintenance.purge(TOMORROW, [JobStatus.FAILED, JobStatus.SUCCEEDED]) == 1


async def test_a_purge_of_many_goes_in_steps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.service.store.maintenance.maintenance.FIRST_COUNT", 2)
    monkeypatch.setattr("anabranch.service.store.maintenance.steps.MOST_AT_ONCE", 2)
    for _ in range(5):
        await ended(store)
    assert await store.maintenance.purge(TOMORROW) == 5
    assert (await store.jobs.list_page()).items == ()


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_purge_reads_only_what_it_deletes(store: Store) -> None:
    for _ in range(100):
        await ended(store)
    steps, spent = await Steps().of(store), []
    work = partial(purge_some, before=TOMORROW, statuses=[JobStatus.SUCCEEDED], at=TOMORROW)
    for _ in range(2):
        steps.count = 0
        await store.database.write(partial(work, count=1))
        spent.append(steps.count)
        await store.database.write(partial(work, count=90))
    assert 0 < spent[0] < 2 * spent[1]


@pytest.mark.parametrize(
    ("count", "seconds", "following"),
    [(20, 0.05, 20), (20, 0.5, 2), (1, 3.0, 1), (20, 0.01, 100), (100, 0.0, 200)],
)
def test_a_purge_takes_as_many_at_once_as_others_may_wait_for(
    count: int, seconds: float, following: int
) -> None:
    assert next_count(count, seconds) == following
