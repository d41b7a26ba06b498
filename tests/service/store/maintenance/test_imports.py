"""An export comes back as it went, or not at all."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.service.store.scenes import answered, claimed, ended, forked, new_job, submitted

from anabranch.dag import events as e
from anabranch.service.bounded_json import MAX_DEPTH
from anabranch.service.store.errors import BadJournal, JobExists, NotFound
from anabranch.service.store.rows import JobRow
from anabranch.service.store.store import Store
from anabranch.service.wire import record_json

TOMORROW = datetime(9000, 1, 1, tzinfo=UTC)
Lines = list[str]


async def exported(store: Store, job: JobRow) -> Lines:
    return [record_json(record, hashes=True) + "\n" for record in await store.journal.read(job.id)]


async def purged(store: Store, **more: str) -> tuple[JobRow, Lines]:
    """A job that is gone, and its export."""
    job = await ended(store, **more)
    lines = await exported(store, job)
    await store.maintenance.purge(TOMORROW)
    return job, lines


async def test_what_was_exported_and_purged_comes_back_the_same(store: Store) -> None:
    job, lines = await purged(store, question="Wie heißt „Anabranch“ auf Deutsch?\x00")
    back = await store.maintenance.import_journal(lines)
    assert await exported(store, back) == lines
    audit = await store.maintenance.audit(job.id)
    assert (audit.sound, audit.records) == (True, job.head_seq)
    same = (
        *("id", "status", "spec", "answer", "usage", "cost", "attempt"),
        *("created_at", "started_at", "finished_at"),
    )
    assert {name: getattr(back, name) for name in same} == {name: getattr(job, name) for name in same}
    assert back.trace_id == job.id.replace("-", ""), "its own is not in the journal"
    assert back.metrics is not None
    assert back.metrics["branches"] == 1
    assert await store.queue.claim("organizer", 60, 10) == [], "there is nothing left to do"


async def test_it_comes_to_another_database_for_the_tenant_that_is_named(store: Store) -> None:
    job, lines = await purged(store)
    back = await store.maintenance.import_journal(lines, tenant="acme")
    assert (await store.jobs.get(job.id, "acme")) == back
    with pytest.raises(NotFound):
        await store.jobs.get(job.id, "default")


async def test_a_job_that_is_here_is_not_overwritten(store: Store) -> None:
    job, lines = await purged(store)
    await store.maintenance.import_journal(lines)
    with pytest.raises(JobExists):
        await store.maintenance.import_journal(lines)
    assert (await store.maintenance.audit(job.id)).sound


async def test_it_can_be_purged_and_imported_again(store: Store) -> None:
    _, lines = await purged(store)
    for _ in range(2):
        await store.maintenance.import_journal(lines)
        assert await store.maintenance.purge(TOMORROW) == 1


async def test_a_job_comes_back_with_its_attempts_though_it_was_never_begun(store: Store) -> None:
    await claimed(store, lease=0.0)
    (twice,) = await store.queue.claim("another", 30.0, 1)
    again = e.JobClaimed(owner="another", attempt=twice.attempt)
    await store.journal.append(twice.job, twice.epoch, [again, *answered()])
    await submitted(store)
    (never,) = await store.queue.claim("another", 30.0, 1)
    cancelled: list[e.Event] = [e.BranchCancelled(reason="enough"), e.JobCancelled(reason="enough")]
    await store.journal.append(never.job, never.epoch, cancelled)
    exports = [await exported(store, await store.jobs.get(job)) for job in (twice.job, never.job)]
    await store.maintenance.purge(TOMORROW)
    assert [(await store.maintenance.import_journal(lines)).attempt for lines in exports] == [2, 1]


async def test_another_end_than_the_one_that_was_purged_is_refused(store: Store) -> None:
    """What is kept of a purged journal is its last hash: an earlier export of it is not the whole."""
    job = await ended(store)
    earlier = await exported(store, job)
    await store.feedback.rate(job.id, "ann", 1.0, "right")
    whole = await exported(store, job)
    await store.maintenance.purge(TOMORROW)
    with pytest.raises(BadJournal, match="was purged here, and its journal ended in another way"):
        await store.maintenance.import_journal(earlier)
    await store.maintenance.import_journal(whole)
    assert await exported(store, job) == whole


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("so long", "line 2 is no record"),
        ("1e999", "line 2: it: the number is not finite"),
        ('{"x": ' + "[" * 99 + "]" * 99 + "}", r"line 2: x\.0\.0"),
    ],
)
async def test_a_line_that_is_no_record_is_named(store: Store, line: str, told: str) -> None:
    _, lines = await purged(store)
    with pytest.raises(BadJournal, match=told):
        await store.maintenance.import_journal([lines[0], line, *lines[1:]])


async def test_what_a_job_may_hold_comes_back_however_deep_it_is(store: Store) -> None:
    """A record wraps what was submitted, so it is nested deeper than that may be."""
    deep: object = "bottom"
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    new = new_job()
    await store.jobs.submit(replace(new, spec=replace(new.spec, params={"deep": deep})))
    (claim,) = await store.queue.claim("organizer", 60, 1)
    await store.journal.append(claim.job, claim.epoch, answered())
    lines = await exported(store, await store.jobs.get(claim.job))
    await store.maintenance.purge(TOMORROW)
    assert (await store.maintenance.import_journal(lines)).spec.params == {"deep": deep}


def without_one(lines: Lines) -> Lines:
    return [*lines[:1], *lines[2:]]


def cut_off(lines: Lines) -> Lines:
    return lines[:-1]


def swapped(lines: Lines) -> Lines:
    return [lines[1], lines[0], *lines[2:]]


def edited(lines: Lines) -> Lines:
    return [line.replace('"42"', '"43"') for line in lines]


def older(lines: Lines) -> Lines:
    first = json.loads(lines[0])
    return [json.dumps({**first, "at": "2020-01-01T00:00:00.000000Z"}), *lines[1:]]


def out_of_time(lines: Lines) -> Lines:
    first = json.loads(lines[0])
    return [json.dumps({**first, "at": "9999-12-31T23:59:59-14:00"}), *lines[1:]]


def with_something_else(lines: Lines) -> Lines:
    return [*lines, "so long\n"]


def without_hashes(lines: Lines) -> Lines:
    return [json.dumps({**json.loads(line), "hash": ""}) for line in lines]


def nested_deeply(lines: Lines) -> Lines:
    return [lines[0].replace('"payload"', f'"deep": {"[" * 3000 + "]" * 3000}, "payload"'), *lines[1:]]


def told_twice(lines: Lines) -> Lines:
    return [lines[0].replace('"payload"', '"seq": 1, "payload"'), *lines[1:]]


def nothing(_: Lines) -> Lines:
    return []


@pytest.mark.parametrize(
    "harm",
    [
        without_one,
        cut_off,
        swapped,
        edited,
        older,
        out_of_time,
        with_something_else,
        without_hashes,
        nested_deeply,
        told_twice,
        nothing,
    ],
)
async def test_a_journal_that_is_not_what_was_written_is_refused_whole(
    store: Store, harm: Callable[[Lines], Lines]
) -> None:
    job, lines = await purged(store)
    with pytest.raises(BadJournal):
        await store.maintenance.import_journal(harm(lines))
    with pytest.raises(NotFound):
        await store.jobs.get(job.id)
    await store.maintenance.import_journal(lines)


async def test_two_jobs_in_one_file_are_refused(store: Store) -> None:
    _, some = await purged(store)
    _, others = await purged(store)
    with pytest.raises(BadJournal, match="several jobs"):
        await store.maintenance.import_journal([*some, *others])


async def test_a_job_that_still_ran_is_refused(store: Store) -> None:
    running = await claimed(store)
    await store.journal.append(running.job, running.epoch, forked(1))
    with pytest.raises(BadJournal, match="had not ended"):
        await store.maintenance.import_journal(await exported(store, await store.jobs.get(running.job)))
