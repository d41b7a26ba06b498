"""A submitted job is there for good, once per idempotency key."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from tests.service.store.scenes import new_job, submitted

from anabranch.dag.decoding import Usage
from anabranch.dag.events import JobSubmitted
from anabranch.dag.status import JobStatus
from anabranch.service.store.errors import IdempotencyConflict, NotFound
from anabranch.service.store.store import Store


async def test_a_submitted_job_is_queued_with_all_that_was_asked(store: Store) -> None:
    new = new_job(traceparent="00-" + "ab" * 16 + "-" + "cd" * 8 + "-01", tenant="acme")
    made = await store.jobs.submit(new)
    assert made.created
    assert made.job == await store.jobs.get(new.id)
    job = made.job
    assert (job.id, job.tenant, job.spec, job.status) == (new.id, "acme", new.spec, JobStatus.QUEUED)
    assert (job.trace_id, job.traceparent) == (new.trace_id, new.traceparent)
    assert (job.answer, job.error, job.metrics, job.usage, job.cost) == (None, None, None, Usage(), 0.0)
    assert (job.attempt, job.epoch, job.head_seq) == (1, 0, 1)


async def test_its_journal_begins_with_its_submission(store: Store) -> None:
    new = new_job()
    job = (await store.jobs.submit(new)).job
    (record,) = await store.journal.read(job.id)
    assert (record.seq, record.epoch, record.at) == (1, 0, job.created_at)
    assert record.event == JobSubmitted(spec=new.spec, policy_version="v1")
    assert record.hash == job.head_hash


async def test_its_trunk_is_there_from_the_first_event(store: Store) -> None:
    job = await submitted(store)
    (trunk,) = await store.jobs.list_branches(job.id)
    assert (trunk.branch, trunk.parent, trunk.role, trunk.status) == ("0", None, "trunk", "queued")


async def test_the_same_key_and_body_give_the_same_job(store: Store) -> None:
    first = await store.jobs.submit(new_job(idempotency_key="k", body_digest="d"))
    again = await store.jobs.submit(new_job(idempotency_key="k", body_digest="d"))
    assert (again.created, again.job) == (False, first.job)


async def test_the_same_key_with_another_body_is_refused_and_writes_nothing(store: Store) -> None:
    first = await store.jobs.submit(new_job(idempotency_key="k", body_digest="d"))
    other = new_job(idempotency_key="k", body_digest="another")
    with pytest.raises(IdempotencyConflict) as refused:
        await store.jobs.submit(other)
    assert refused.value.job == first.job.id
    with pytest.raises(NotFound):
        await store.jobs.get(other.id)


async def test_tenants_do_not_share_keys(store: Store) -> None:
    made = [
        await store.jobs.submit(new_job(tenant=tenant, idempotency_key="k", body_digest=tenant))
        for tenant in "ab"
    ]
    assert [each.created for each in made] == [True, True]


KEYS, PROCESSES = 40, 4


def submit_keys(url: str, barrier: Barrier) -> list[tuple[str, bool]]:
    """What one process is told: the job of each key, and whether it made it."""

    async def submit_all() -> list[tuple[str, bool]]:
        told: list[tuple[str, bool]] = []
        async with Store(url) as store:
            await store.ping()
            for key in range(KEYS):
                barrier.wait(20)
                made = await store.jobs.submit(new_job(idempotency_key=f"{key}", body_digest="d"))
                told.append((made.job.id, made.created))
        return told

    return asyncio.run(submit_all())


async def test_a_key_that_several_processes_use_at_once_makes_one_job(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They meet before each key. On PostgreSQL some find no job and yet may not insert one: they find it then."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[4]))  # where the processes find this module
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        barrier = manager.Barrier(PROCESSES)
        running = [pool.submit(submit_keys, database_url, barrier) for _ in range(PROCESSES)]
        told = [await asyncio.wrap_future(each) for each in running]
    for of_key in zip(*told, strict=True):
        assert sum(created for _, created in of_key) == 1
        assert len({job for job, _ in of_key}) == 1
    assert await store.queue.count_queued() == KEYS


async def test_what_no_database_holds_does_not_refuse_a_job(store: Store) -> None:
    job = await submitted(store, "a\x00b\ud800", traceparent="\x00")
    assert job.spec.question == "a\ufffdb\ufffd"
    submission = (await store.journal.read(job.id))[0].event
    assert isinstance(submission, JobSubmitted)
    assert submission.spec.question == "a\ufffdb\ufffd"
