"""A batch in the store: its lines begin in order, each once with its jobs, and end once, whoever works on it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.service.store.scenes import LEASE, answered, new_job, rows_of

from anabranch.dag import events as e
from anabranch.dag.job import Budget
from anabranch.service.store.batches.batches import BatchRow, NewBatch
from anabranch.service.store.batches.files import FileLine, FileRow, NewFile
from anabranch.service.store.batches.lines import NewLine, Result
from anabranch.service.store.errors import BatchConflict, FileInUse, NotFound
from anabranch.service.store.jobs.quotas import Quota
from anabranch.service.store.store import Store

LATER = datetime(2100, 1, 1, tzinfo=UTC)


async def file_of(store: Store, count: int, tenant: str = "acme") -> FileRow:
    lines = (FileLine(number, f"line-{number}", f'{{"n":{number}}}') for number in range(1, count + 1))
    return await store.files.add(
        NewFile(tenant=tenant, filename="a.jsonl", endpoint="/v1/jobs", bytes=10), lines
    )


async def batch_of(store: Store, file: FileRow, **more: Any) -> BatchRow:
    new = NewBatch(
        tenant="acme", file=file.id, endpoint="/v1/jobs", completion_window="24h", expires_at=LATER,
        total=file.lines, **more,
    )  # fmt: skip
    return (await store.batches.create(new))[0]


def line(number: int, jobs: int = 1, **more: Any) -> NewLine:
    return NewLine(
        number=number,
        custom_id=f"line-{number}",
        jobs=[new_job(tenant="acme", **more) for _ in range(jobs)],
    )


async def answer_all(store: Store) -> None:
    for claim in await store.queue.claim("organizer", LEASE, 100):
        claimed = e.JobClaimed(owner="organizer", attempt=1)
        await store.journal.append(claim.job, claim.epoch, [claimed, *answered()])


async def collect(store: Store, batch: BatchRow) -> Sequence[Result]:
    ended = await store.batches.list_ended(batch.id, 100)
    results = [Result(each.number, succeeded=True, text=f"of {len(each.jobs)}") for each in ended]
    await store.batches.write_results(batch.id, results)
    return results


async def test_a_file_of_many_lines_is_read_page_by_page(store: Store) -> None:
    file = await file_of(store, 1203)
    assert file.lines == 1203
    page = await store.files.read_lines(file.id, 1199, 3)
    assert page == [FileLine(n, f"line-{n}", f'{{"n":{n}}}') for n in (1200, 1201, 1202)]


async def test_a_file_that_is_not_whole_is_not_there(store: Store) -> None:
    def torn() -> Any:
        yield FileLine(1, "a", "{}")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.files.add(NewFile(tenant="acme", filename="a", endpoint="/v1/jobs", bytes=10), torn())
    assert await store.files.list_page(10) == []
    (row,) = await rows_of(store, "SELECT id FROM files")
    with pytest.raises(NotFound):
        await store.files.get(row.id)
    await store.files.remove_abandoned()
    assert len(await rows_of(store, "SELECT id FROM files")) == 1  # it may still be written
    later = Store(store.database.url.render_as_string(hide_password=False), lambda: LATER)
    async with later:
        await later.files.remove_abandoned()
    assert await rows_of(store, "SELECT id FROM files") == []


async def test_files_are_listed_newest_first_or_oldest_first(store: Store) -> None:
    made = sorted([(await file_of(store, 1)).id for _ in range(3)])  # ids sort by time, up to a millisecond
    assert [file.id for file in await store.files.list_page(2)] == [made[2], made[1]]
    assert [file.id for file in await store.files.list_page(2, made[1])] == [made[0]]
    assert [file.id for file in await store.files.list_page(9, made[0], order="asc")] == made[1:]
    assert await store.files.list_page(9, tenant="another") == []


async def test_a_file_that_a_batch_reads_stays(store: Store) -> None:
    file = await file_of(store, 1)
    batch = await batch_of(store, file)
    with pytest.raises(FileInUse, match="has not ended"):
        await store.files.delete(file.id)
    await store.batches.begin_lines(batch, [NewLine(number=1, custom_id="line-1", result="{}")])
    assert await store.batches.end(batch.id)
    await store.files.delete(file.id)
    with pytest.raises(NotFound):
        await batch_of(store, file)


async def test_the_same_key_is_the_same_batch(store: Store, other_store: Store) -> None:
    file = await file_of(store, 1)
    made = await asyncio.gather(
        *(batch_of(each, file, idempotency_key="k", body_digest="d") for each in (store, other_store) * 3)
    )
    assert len({batch.id for batch in made}) == 1
    with pytest.raises(BatchConflict, match="already made batch"):
        await batch_of(store, file, idempotency_key="k", body_digest="other")
    assert await store.batches.find("another", "k") is None


async def test_a_line_begins_once_whoever_tries(store: Store, other_store: Store) -> None:
    batch = await batch_of(store, await file_of(store, 3))
    lines = [line(1), line(2, jobs=2)]
    tries = await asyncio.gather(
        *(each.batches.begin_lines(batch, [line(1), line(2, jobs=2)]) for each in (store, other_store) * 3)
    )
    assert sorted(begun.lines for begun in tries) == [0, 0, 0, 0, 0, len(lines)]
    assert len(await rows_of(store, "SELECT id FROM jobs")) == 3
    assert (await store.batches.get(batch.id)).begun == 2
    assert await store.batches.count_open(batch.id) == 2


async def test_a_line_ends_once_when_all_its_jobs_have(store: Store, other_store: Store) -> None:
    batch = await batch_of(store, await file_of(store, 2))
    await store.batches.begin_lines(batch, [line(1), line(2, jobs=2)])
    assert await store.batches.list_ended(batch.id, 10) == []
    await answer_all(store)
    results = [
        Result(each.number, succeeded=True, text=f"of {len(each.jobs)}")
        for each in await store.batches.list_ended(batch.id, 10)
    ]
    await asyncio.gather(*(each.batches.write_results(batch.id, results) for each in (store, other_store)))
    now = await store.batches.get(batch.id)
    assert (now.succeeded, now.failed) == (2, 0)
    assert await store.batches.read_results(batch.id, 0, 10) == [
        Result(1, True, "of 1"),
        Result(2, True, "of 2"),
    ]
    assert await store.batches.measure(batch.id, succeeded=True) == len("of 1\nof 2\n")
    assert await store.batches.measure(batch.id, succeeded=False) == 0
    assert await store.batches.end(batch.id)


async def test_a_batch_has_not_ended_before_its_last_line(store: Store) -> None:
    batch = await batch_of(store, await file_of(store, 2))
    await store.batches.begin_lines(batch, [line(1)])
    await answer_all(store)
    await collect(store, batch)
    assert not await store.batches.end(batch.id)


async def test_lines_behind_one_that_the_quota_refuses_stay(store: Store) -> None:
    batch = await batch_of(store, await file_of(store, 3))
    quota = Quota(tokens=25)

    def costly(number: int) -> NewLine:
        (job,) = line(number, quota=quota).jobs
        return replace(line(number), jobs=[replace(job, spec=replace(job.spec, budget=Budget(tokens=10)))])

    begun = await store.batches.begin_lines(batch, [costly(1), costly(2), costly(3)])
    assert begun.lines == 2
    assert begun.refused is not None and not begun.refused.never
    assert (await store.batches.get(batch.id)).begun == 2
    assert len(await rows_of(store, "SELECT number FROM batch_lines")) == 2


async def test_a_batch_that_is_stopped_cancels_what_has_not_ended_and_begins_nothing(store: Store) -> None:
    batch = await batch_of(store, await file_of(store, 3))
    begun = await store.batches.begin_lines(batch, [line(1), line(2)])
    assert set(await store.batches.stop(batch.id, "cancelled")) == set(begun.jobs)
    assert await store.batches.stop(batch.id, "expired") == ()
    now = await store.batches.get(batch.id)
    assert (now.stopping, now.ended_at) == ("cancelled", None)
    assert (await store.batches.begin_lines(now, [line(3)])).lines == 0
    for job in begun.jobs:
        assert (await store.jobs.get(job)).cancel_requested == "its batch was cancelled"
    assert (await store.batches.begin_lines(now, [NewLine(number=3, custom_id="line-3", result="{}")])).lines


async def test_a_batch_that_is_stopped_cancels_the_jobs_of_its_open_lines_alone(store: Store) -> None:
    batch = await batch_of(store, await file_of(store, 2))
    await store.batches.begin_lines(batch, [line(1)])
    await answer_all(store)
    await collect(store, batch)
    begun = await store.batches.begin_lines(await store.batches.get(batch.id), [line(2, jobs=2)])
    assert sorted(await store.batches.stop(batch.id, "cancelled")) == sorted(begun.jobs)


async def test_who_makes_a_batch_is_told_whether_it_was_there(store: Store) -> None:
    file = await file_of(store, 1)
    new = NewBatch(
        tenant="acme", file=file.id, endpoint="/v1/jobs", completion_window="24h", expires_at=LATER,
        total=file.lines, idempotency_key="k", body_digest="d",
    )  # fmt: skip
    (first, made), (again, made_again) = [await store.batches.create(new) for _ in range(2)]
    assert (first.id == again.id, made, made_again) == (True, True, False)


async def test_a_line_whose_jobs_were_purged_ends_without_them(store: Store) -> None:
    batch = await batch_of(store, await file_of(store, 1))
    await store.batches.begin_lines(batch, [line(1)])
    await answer_all(store)
    await store.maintenance.purge(datetime.now(UTC) + timedelta(days=1))
    (ended,) = await store.batches.list_ended(batch.id, 10)
    assert (ended.jobs, await store.batches.read_jobs(ended)) == ((), [])


async def test_a_purge_takes_batches_that_ended_and_leaves_those_that_run(store: Store) -> None:
    ended, live = [await batch_of(store, await file_of(store, 1)) for _ in range(2)]
    await store.batches.begin_lines(ended, [NewLine(number=1, custom_id="line-1", result="{}")])
    await store.batches.end(ended.id)
    await store.maintenance.purge(datetime.now(UTC) + timedelta(days=1))
    assert [batch.id for batch in await store.batches.list_page(10)] == [live.id]
    assert [file.id for file in await store.files.list_page(10)] == [live.file_id]
    assert await rows_of(store, "SELECT number FROM batch_lines") == []


async def test_another_tenants_batch_is_not_there(store: Store) -> None:
    batch = await batch_of(store, await file_of(store, 1))
    for act in (store.batches.get(batch.id, "another"), store.batches.stop(batch.id, "cancelled", "another")):
        with pytest.raises(NotFound):
            await act
    assert await store.batches.list_page(10, tenant="another") == []
    assert [each.id for each in await store.batches.list_live()] == [batch.id]
