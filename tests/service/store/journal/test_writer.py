"""Appends: in order, without gaps, chained, together, and only under the current claim."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import asyncpg
import pytest
from tests.databases import Databases
from tests.service.store.scenes import answered, claimed, finished, forked, started, submitted

from anabranch.dag.events import BranchForked, TextPosted
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.journal.chain import GENESIS
from anabranch.service.store.errors import Fenced, JobEnded, NotFound
from anabranch.service.store.journal import batch
from anabranch.service.store.rows import Claim
from anabranch.service.store.sql.database import Work
from anabranch.service.store.store import Store

A = BranchId("0.1")


def thought(text: object) -> TextPosted:
    return TextPosted(text=str(text))


async def test_an_append_is_in_the_journal_when_it_returns(store: Store, other_store: Store) -> None:
    claim = await claimed(store)
    records = await store.journal.append(claim.job, claim.epoch, [thought(1), thought(2)])
    assert [record.event for record in records] == [thought(1), thought(2)]
    assert await other_store.journal.read_page(claim.job, after_seq=2) == records


async def test_nothing_to_append_is_nothing_done(store: Store) -> None:
    claim = await claimed(store)
    assert await store.journal.append(claim.job, claim.epoch, []) == []


async def test_many_tasks_appending_at_once_leave_no_gap_and_no_torn_append(store: Store) -> None:
    claims = [await claimed(store) for _ in range(4)]

    async def writer(claim: Claim, number: int) -> None:
        for turn in range(5):
            pair = [thought(f"{number}.{turn}.{half}") for half in "ab"]
            await store.journal.append(claim.job, claim.epoch, pair)

    await asyncio.gather(*(writer(claim, number) for claim in claims for number in range(8)))
    for claim in claims:
        records = await store.journal.read(claim.job)
        assert [record.seq for record in records] == list(range(1, 2 + 80 + 1))
        texts = [record.event.text for record in records if isinstance(record.event, TextPosted)]
        assert len(texts) == 80
        assert all(a[:-1] == b[:-1] for a, b in zip(texts[::2], texts[1::2], strict=True))
        assert (await store.maintenance.audit(claim.job)).sound


async def test_each_record_is_chained_to_the_one_before(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(claim.job, claim.epoch, [thought(1), thought(2)])
    records = await store.journal.read(claim.job)
    assert records[0].prev_hash == GENESIS
    assert all(later.prev_hash == earlier.hash for earlier, later in pairwise(records))
    job = await store.jobs.get(claim.job)
    assert (job.head_seq, job.head_hash) == (records[-1].seq, records[-1].hash)


async def test_time_never_runs_backwards_in_a_journal_whatever_the_clocks_say(
    database_url: str, store: Store
) -> None:
    claim = await claimed(store)
    before = (await store.journal.read(claim.job))[-1].at
    async with Store(database_url, now=lambda: datetime.now(UTC) - timedelta(hours=1)) as slow:
        (record,) = await slow.journal.append(claim.job, claim.epoch, [thought(1)])
    assert record.at == before


async def test_what_is_ready_together_is_committed_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = [await claimed(store) for _ in range(5)]
    commits = []
    write = store.database.write

    async def counted(work: Work[object]) -> object:
        commits.append(work)
        return await write(work)

    monkeypatch.setattr(store.database, "write", counted)
    await asyncio.gather(
        *(store.journal.append(claim.job, claim.epoch, [thought(n)]) for claim in claims for n in range(20))
    )
    assert len(commits) == 1


async def test_an_older_epoch_writes_nothing_and_the_others_of_the_batch_do_not_suffer(store: Store) -> None:
    late = await claimed(store, lease=0.0)
    (current,) = await store.queue.claim("another", 30.0, 10)
    healthy = await claimed(store)
    refused, taken, other = await asyncio.gather(
        store.journal.append(late.job, late.epoch, forked(1)),
        store.journal.append(current.job, current.epoch, [thought("mine")]),
        store.journal.append(healthy.job, healthy.epoch, forked(1)),
        return_exceptions=True,
    )
    assert isinstance(refused, Fenced)
    assert "stop working on the job" in str(refused)
    assert isinstance(taken, list) and isinstance(other, list)
    assert [record.event for record in taken] == [thought("mine")]
    assert [record.event for record in other] == forked(1)
    assert [branch.branch for branch in await store.jobs.list_branches(late.job)] == ["0"]
    assert (await store.maintenance.audit(late.job)).sound


async def test_an_organizer_that_wakes_up_late_is_fenced_by_another_process(
    store: Store, other_store: Store
) -> None:
    late = await claimed(store, lease=0.0)
    (current,) = await other_store.queue.claim("another", 30.0, 1)
    await other_store.journal.append(current.job, current.epoch, [thought("mine")])
    with pytest.raises(Fenced):
        await store.journal.append(late.job, late.epoch, [thought("too late")])
    assert [record.epoch for record in await store.journal.read(late.job)] == [0, 1, 2]


@pytest.fixture
def postgres_url(databases: Databases) -> str:
    return databases.new("postgres")


@pytest.mark.postgres
async def test_a_job_cannot_be_claimed_while_an_append_to_it_is_being_written(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long this machine takes for the append, no lease is kept for it.
    monkeypatch.setattr(batch, "LONG_SECONDS", 60.0)
    operator = await asyncpg.connect(postgres_url)
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'events'::regclass AND NOT granted"
    async with Store(postgres_url) as store, Store(postgres_url) as other_store:
        late = await claimed(store, lease=0.0)
        async with operator.transaction():
            await operator.execute("LOCK TABLE events IN EXCLUSIVE MODE")
            appending = asyncio.create_task(store.journal.append(late.job, late.epoch, [thought(1)]))
            async with asyncio.timeout(10):
                while not await operator.fetchval(waiting):
                    await asyncio.sleep(0.01)  # until the append waits for the lock
            assert await other_store.queue.claim("another", 30.0, 1) == []
        (record,) = await appending
        (claim,) = await other_store.queue.claim("another", 30.0, 1)
    await operator.close()
    assert (claim.job, claim.head_seq, claim.head_hash) == (late.job, record.seq, record.hash)


async def test_an_append_that_cannot_be_stored_fails_alone(store: Store) -> None:
    sick, healthy = await claimed(store), await claimed(store)
    await store.journal.append(sick.job, sick.epoch, forked(1))
    failed, fine = await asyncio.gather(
        store.journal.append(sick.job, sick.epoch, [BranchForked(child=A, role="a second of the same name")]),
        store.journal.append(healthy.job, healthy.epoch, forked(1)),
        return_exceptions=True,
    )
    assert isinstance(failed, Exception) and isinstance(fine, list)
    assert "UNIQUE" in str(failed).upper()
    assert [record.event for record in fine] == forked(1)
    assert len(await store.journal.read(sick.job)) == 3
    assert await store.journal.append(sick.job, sick.epoch, forked(2))


async def test_nothing_follows_the_terminal_event(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(claim.job, claim.epoch, answered())
    with pytest.raises(JobEnded):
        await store.journal.append(claim.job, claim.epoch, [thought("and another thing")])


async def test_a_job_that_is_not_there_has_no_journal(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.journal.append(JobId("none"), 1, [thought(1)])
    assert await store.journal.read(JobId("none")) == []


async def test_a_caller_that_goes_away_takes_nobody_with_it(store: Store) -> None:
    claim = await claimed(store)
    leaving = asyncio.create_task(store.journal.append(claim.job, claim.epoch, [thought("leaving")]))
    staying = asyncio.create_task(store.journal.append(claim.job, claim.epoch, [thought("staying")]))
    await asyncio.sleep(0)
    leaving.cancel()
    (record,) = await staying
    assert record.event == thought("staying")
    assert (await store.maintenance.audit(claim.job)).sound


async def test_closing_finishes_what_was_given(database_url: str, store: Store) -> None:
    claim = await claimed(store)
    async with Store(database_url) as closing:
        appending = asyncio.create_task(
            closing.journal.append(claim.job, claim.epoch, [thought("last words")])
        )
        await asyncio.sleep(0)
    assert (await appending)[0].event == thought("last words")


async def test_records_are_returned_as_they_will_be_read(store: Store) -> None:
    claim = await claimed(store)
    records = await store.journal.append(claim.job, claim.epoch, [thought("a\x00b")])
    assert records == await store.journal.read_page(claim.job, after_seq=2)


async def test_a_job_tells_what_its_journal_tells(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(
        claim.job, claim.epoch, [*forked(1), started(A), finished(A, tokens=7, cost=0.25)]
    )
    running = await store.jobs.get(claim.job)
    assert (running.status, running.usage.completion_tokens, running.cost) == ("running", 7, 0.25)
    assert running.started_at is not None
    metrics = {"total_tokens": 7, "parallelism": 1.0}
    await store.journal.append(claim.job, claim.epoch, answered("42"), metrics)
    done = await store.jobs.get(claim.job)
    assert (done.status, done.metrics) == ("succeeded", metrics)
    assert done.answer == {"text": "42", "sources": [], "forced": False}
    assert done.finished_at is not None


async def test_an_answer_is_not_shown_before_the_job_has_succeeded(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(claim.job, claim.epoch, answered()[:1])
    assert (await store.jobs.get(claim.job)).answer is None


async def test_submitted_jobs_are_not_for_those_who_did_not_claim_them(store: Store) -> None:
    job = await submitted(store)
    await store.queue.claim("somebody", 30.0, 1)
    with pytest.raises(Fenced):
        await store.journal.append(job.id, 0, [thought("mine?")])


async def test_what_is_new_in_many_journals_is_read_at_once_by_job_and_seq(store: Store) -> None:
    claims = [await claimed(store) for _ in range(3)]
    first, second, ignored = claims
    for claim in claims:
        await store.journal.append(claim.job, claim.epoch, [thought(1), thought(2)])
    new = await store.journal.read_many({first.job: 3, second.job: 2, JobId("none"): 0})
    assert [(record.job, record.seq) for record in new] == sorted(
        [(first.job, 4), (second.job, 3), (second.job, 4)]
    )
    assert ignored.job not in {record.job for record in new}
    assert await store.journal.read_many({}) == []
