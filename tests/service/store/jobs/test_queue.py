"""Claims: each job in one pair of hands, in a fair order, and never lost with its organizer."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.util import await_only
from tests.service.store.scenes import LEASE, Steps, answered, claimed, ended, submitted

from anabranch.dag.events import ApprovalDecided, ApprovalRequested, Choice, JobClaimed, TextPosted
from anabranch.dag.job import BATCH_PRIORITY
from anabranch.service.store.errors import Fenced
from anabranch.service.store.jobs.submissions import PRIORITY_SECONDS
from anabranch.service.store.rows import LeaseState
from anabranch.service.store.sql.database import Work
from anabranch.service.store.store import Store


async def ids(store: Store, owner: str = "organizer", lease: float = LEASE, limit: int = 10) -> list[str]:
    return [claim.job for claim in await store.queue.claim(owner, lease, limit)]


async def age(store: Store, job: str, seconds: float) -> None:
    """Makes a job as old as if it had been submitted so many seconds earlier."""
    earlier = {
        True: "strftime('%Y-%m-%dT%H:%M:%f000Z', turn, :text)",
        False: "turn + CAST(:text AS text)::interval",
    }
    statement = text(f"UPDATE jobs SET turn = {earlier[store.database.sqlite]} WHERE id = :job")
    parameters = {"text": f"-{seconds} seconds", "job": job}
    await store.database.write(lambda connection: connection.execute(statement, parameters))


async def test_a_claim_tells_where_the_journal_stands(store: Store) -> None:
    job = await submitted(store)
    (claim,) = await store.queue.claim("organizer", LEASE, 10)
    assert (claim.job, claim.epoch, claim.attempt) == (job.id, 1, 1)
    assert (claim.head_seq, claim.head_hash) == (job.head_seq, job.head_hash)
    assert claim.cancel_requested is None


async def test_a_first_claim_brings_the_journals_a_later_one_none(store: Store) -> None:
    """Whoever claims a fresh job need not read it; a long journal is read page by page."""
    for _ in range(2):
        await submitted(store)
    first = await store.queue.claim("organizer", LEASE, 10)
    assert [each.journal for each in first] == [tuple(await store.journal.read(each.job)) for each in first]
    assert [len(each.journal) for each in first] == [1, 1]
    for each in first:
        await store.queue.release(each.job, each.epoch, 0.0)
    assert [each.journal for each in await store.queue.claim("organizer", LEASE, 10)] == [(), ()]


async def test_what_is_left_to_others_is_not_claimed(store: Store) -> None:
    *left, taken = [(await submitted(store)).id for _ in range(3)]
    assert [each.job for each in await store.queue.claim("one", LEASE, 10, left=left)] == [taken]
    assert await ids(store, "other") == left


async def test_what_is_claimed_is_not_claimed_again(store: Store) -> None:
    await submitted(store)
    assert len(await ids(store)) == 1
    assert await ids(store) == []


@pytest.mark.parametrize("fair", [None, 1000])
async def test_no_two_organizers_get_the_same_job(store: Store, other_store: Store, fair: int | None) -> None:
    made = {(await submitted(store)).id for _ in range(40)}

    async def greedy(each: Store, owner: str) -> list[str]:
        taken: list[str] = []
        while len(got := await each.queue.claim(owner, LEASE, 3, fair)):
            taken += [claim.job for claim in got]
        return taken

    takings = await asyncio.gather(
        *(greedy(each, f"{owner}") for owner, each in enumerate((store, other_store) * 3))
    )
    everything = [job for taking in takings for job in taking]
    assert len(everything) == len(set(everything))
    assert set(everything) | set(await ids(store, limit=100)) == made


async def test_the_urgent_come_first_then_the_older(store: Store) -> None:
    late, older, younger, urgent = [
        (await submitted(store, priority=priority)).id for priority in (9, 5, 5, 0)
    ]
    assert await ids(store, limit=1) == [urgent]
    assert await ids(store) == [older, younger, late]


async def test_waiting_makes_up_for_priority(store: Store) -> None:
    patient = (await submitted(store, priority=6)).id
    urgent = (await submitted(store, priority=5)).id
    await age(store, patient, PRIORITY_SECONDS + 1)
    assert await ids(store, limit=1) == [patient]
    assert await ids(store, limit=1) == [urgent]


async def test_a_lost_organizers_job_is_taken_over_with_a_new_epoch_and_attempt(store: Store) -> None:
    lost = await claimed(store, "lost", lease=0.0)
    (claim,) = await store.queue.claim("finder", LEASE, 10)
    assert (claim.job, claim.epoch, claim.attempt) == (lost.job, lost.epoch + 1, 2)
    assert claim.head_seq == 2
    assert (await store.jobs.get(lost.job)).attempt == 2


async def test_a_heartbeat_renews_every_lease_of_its_owner(store: Store) -> None:
    mine = [await claimed(store, "me") for _ in range(2)]
    await store.queue.heartbeat("me", 0.0)
    held = {claim.job: LeaseState(epoch=claim.epoch, woken=False, cancel_requested=None) for claim in mine}
    assert await store.queue.heartbeat("me", LEASE) == held
    assert await ids(store, "another") == []


async def test_a_heartbeat_says_how_long_the_leases_last_from_now(store: Store) -> None:
    mine = {(await claimed(store, "me")).job for _ in range(2)}
    await store.queue.heartbeat("me", 0.0)
    assert set(await ids(store, "another")) == mine


async def test_a_heartbeat_tells_what_is_no_longer_ones_own(store: Store) -> None:
    lost = await claimed(store, "late", lease=0.0)
    await store.queue.claim("another", LEASE, 10)
    done = await claimed(store, "late")
    await store.journal.append(done.job, done.epoch, answered())
    kept = await claimed(store, "late")
    assert lost.job not in await store.queue.heartbeat("late", LEASE)
    assert set(await store.queue.heartbeat("late", LEASE)) == {kept.job}


async def test_heartbeats_and_appends_of_many_jobs_never_wait_for_each_other_in_a_ring(store: Store) -> None:
    claims = [await claimed(store, "me") for _ in range(25)]
    for _ in range(20):
        beats = [store.queue.heartbeat("me", LEASE) for _ in range(3)]
        appends = [
            store.journal.append(claim.job, claim.epoch, [TextPosted(text="so")]) for claim in claims[::-1]
        ]
        assert all(await asyncio.gather(*beats, *appends))


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["postgres"])
async def test_a_heartbeat_does_not_wait_for_the_journal_of_one_job(store: Store, other_store: Store) -> None:
    """The commit of a wide fork takes longer than a lease lasts. SQLite has one writer."""
    wide, other = [await claimed(store, "me") for _ in range(2)]
    await store.queue.heartbeat("me", 0.0)
    is_locked, beaten = asyncio.Event(), asyncio.Event()

    def commit_slowly(connection: Connection) -> None:
        connection.execute(text("SELECT 1 FROM jobs WHERE id = :job FOR UPDATE"), {"job": wide.job})
        is_locked.set()
        await_only(beaten.wait())

    committing = asyncio.create_task(other_store.database.write(commit_slowly))
    await is_locked.wait()
    assert set(await store.queue.heartbeat("me", LEASE)) == {wide.job, other.job}
    assert await ids(store, "another") == []
    beaten.set()
    await committing


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["postgres"])
async def test_a_heartbeat_renews_jobs_whose_journals_are_written_all_the_time(
    store: Store, other_store: Store
) -> None:
    claim = await claimed(store, "me")

    async def keep_writing() -> None:
        while True:
            await other_store.journal.append(claim.job, claim.epoch, [TextPosted(text="so")] * 50)

    writing = [asyncio.create_task(keep_writing()) for _ in range(3)]
    for _ in range(20):
        await store.queue.heartbeat("me", 0.0)
        await store.queue.heartbeat("me", LEASE)
        assert await ids(store, "another") == []
    for each in writing:
        each.cancel()
    await asyncio.gather(*writing, return_exceptions=True)
    await other_store.journal.close()


async def test_a_lease_that_ended_while_its_journal_was_written_lasts_until_the_next_heartbeat(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await claimed(store, "me")
    await store.queue.heartbeat("me", 0.0)
    monkeypatch.setattr("anabranch.service.store.journal.batch.LONG_SECONDS", 0.0)
    await store.journal.append(claim.job, claim.epoch, [TextPosted(text="so")])
    assert await ids(store, "another") == []
    await store.journal.append(claim.job, claim.epoch, answered())
    assert (await store.jobs.get(claim.job)).status == "succeeded"


async def test_a_released_job_sleeps_until_something_happens_to_it(store: Store) -> None:
    claim = await claimed(store)
    assert await store.queue.release(claim.job, claim.epoch)
    assert await ids(store) == []
    await store.jobs.request_cancel(claim.job, "changed my mind")
    (again,) = await store.queue.claim("another", LEASE, 10)
    assert (again.job, again.epoch, again.attempt) == (claim.job, claim.epoch + 1, 1)
    assert again.cancel_requested == "changed my mind"


async def test_a_job_that_is_handed_on_is_there_for_the_next_at_once(store: Store) -> None:
    claim = await claimed(store)
    await store.queue.release(claim.job, claim.epoch, after=0.0)
    assert await ids(store) == [claim.job]


async def test_a_job_may_sleep_for_a_time(store: Store) -> None:
    claim = await claimed(store)
    await store.queue.release(claim.job, claim.epoch, after=3600.0)
    assert await ids(store) == []
    past = text("UPDATE jobs SET not_before = created_at")
    await store.database.write(lambda connection: connection.execute(past))
    assert await ids(store) == [claim.job]


async def test_only_who_holds_a_job_can_release_it(store: Store) -> None:
    late = await claimed(store, lease=0.0)
    (current,) = await store.queue.claim("another", LEASE, 10)
    assert not await store.queue.release(late.job, late.epoch)
    assert set(await store.queue.heartbeat("another", LEASE)) == {current.job}


async def test_after_its_release_the_former_owner_still_writes_until_the_next_claim_fences_it(
    store: Store,
) -> None:
    claim = await claimed(store)
    await store.queue.release(claim.job, claim.epoch, after=0.0)
    await store.queue.claim("another", LEASE, 10)
    with pytest.raises(Fenced):
        await store.journal.append(claim.job, claim.epoch, [JobClaimed(owner="organizer", attempt=1)])


async def test_a_decision_that_comes_before_the_release_is_not_slept_through(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(
        claim.job, claim.epoch, [ApprovalRequested(approval=1, gate="fork", subject="two")]
    )
    (gate,) = await store.jobs.list_approvals("pending")
    await store.jobs.decide_approval(gate.id, "approve")
    await store.queue.release(claim.job, claim.epoch)
    assert await ids(store) == [claim.job]


async def test_a_decision_that_is_journaled_wakes_nobody_again(store: Store) -> None:
    claim = await claimed(store)
    await store.journal.append(
        claim.job, claim.epoch, [ApprovalRequested(approval=1, gate="fork", subject="two")]
    )
    (gate,) = await store.jobs.list_approvals("pending")
    await store.jobs.decide_approval(gate.id, "approve")
    assert (await store.queue.heartbeat("organizer", LEASE))[claim.job].woken
    await store.journal.append(claim.job, claim.epoch, [ApprovalDecided(approval=1, decision=Choice.APPROVE)])
    await store.queue.release(claim.job, claim.epoch)
    assert await ids(store) == []


async def test_a_job_that_has_ended_is_never_claimed(store: Store) -> None:
    job = await ended(store, lease=0.0)
    await store.jobs.request_cancel(job.id, "too late")
    assert await ids(store) == []


async def test_the_queue_is_what_nobody_has_taken_up(store: Store) -> None:
    for _ in range(3):
        await submitted(store)
    (claim,) = await store.queue.claim("organizer", LEASE, 1)
    await store.journal.append(claim.job, claim.epoch, [JobClaimed(owner="organizer", attempt=1)])
    assert await store.queue.count_queued() == 2


async def test_tenants_take_turns_and_none_has_more_in_hand_than_it_may(store: Store) -> None:
    early = [(await submitted(store, tenant="early")).id for _ in range(6)]
    late = [(await submitted(store, tenant="late")).id for _ in range(2)]

    async def take(limit: int) -> list[str]:
        return [claim.job for claim in await store.queue.claim("organizer", LEASE, limit, 3)]

    assert set(await take(4)) == {*early[:2], *late}
    assert await take(10) == [early[2]]
    assert await take(10) == []
    await store.queue.release(early[0], 1)
    assert await take(10) == [early[3]]


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["postgres"])
async def test_who_counts_a_tenants_jobs_waits_for_a_claim_that_is_not_committed_yet(
    store: Store, other_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one writer; on PostgreSQL the second one would not see what the first has just taken."""
    usual = [(await submitted(other_store, tenant="acme")).id for _ in range(3)]
    write, in_between = store.database.write, asyncio.Event()

    async def write_slowly(work: Work[Any]) -> Any:
        def worked_but_not_committed(connection: Connection) -> Any:
            done = work(connection)
            in_between.set()
            await_only(asyncio.sleep(0.5))
            return done

        return await write(worked_but_not_committed)

    monkeypatch.setattr(store.database, "write", write_slowly)
    first = asyncio.create_task(store.queue.claim("first", LEASE, 10, 3))
    await in_between.wait()
    await submitted(other_store, tenant="acme", priority=0)
    assert await other_store.queue.claim("second", LEASE, 10, 3) == []
    assert {claim.job for claim in await first} == set(usual)


async def test_a_job_that_broke_its_run_counts_as_lost(store: Store) -> None:
    claim = await claimed(store)
    await store.queue.release(claim.job, claim.epoch, 0.0, broke=True)
    [again] = await store.queue.claim("organizer", LEASE, 1)
    assert (again.attempt, again.epoch) == (2, 2)


async def test_jobs_of_batches_come_behind_all_others_however_long_they_wait(store: Store) -> None:
    waiting = (await submitted(store, priority=BATCH_PRIORITY)).id
    await age(store, waiting, 30 * 24 * 3600)
    late = (await submitted(store, priority=9)).id
    assert await ids(store) == [late, waiting]


async def test_who_takes_no_batches_leaves_their_jobs_to_others(store: Store) -> None:
    batched = (await submitted(store, priority=BATCH_PRIORITY)).id
    assert await store.queue.claim("full", LEASE, 10, batches=False) == []
    assert await ids(store, "another") == [batched]


async def test_a_tenants_batches_take_nothing_of_what_its_other_jobs_may_run(store: Store) -> None:
    of_batch = [(await submitted(store, priority=BATCH_PRIORITY)).id for _ in range(3)]
    assert [claim.job for claim in await store.queue.claim("a", LEASE, 10, 2)] == of_batch[:2]
    others = [(await submitted(store)).id for _ in range(3)]
    assert [claim.job for claim in await store.queue.claim("a", LEASE, 10, 2)] == others[:2]


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_fair_claim_reads_each_job_that_waits_a_few_times_at_most(store: Store) -> None:
    """A queue four times as long costs about four times as many steps."""
    steps, spent = await Steps().of(store), []
    for waiting, most in ((100, 8), (300, 16)):
        for _ in range(waiting):
            await submitted(store)
        steps.count = 0
        assert len(await store.queue.claim("organizer", LEASE, 4, most)) == 4
        spent.append(steps.count)
    assert 0 < spent[1] < 6 * spent[0]
