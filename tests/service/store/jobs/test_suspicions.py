"""Suspicions: who was computing what when it was lost, and what becomes of all else that it had."""

from tests.service.store.scenes import claimed, ended

from anabranch.service.store.jobs.suspicions import Loss
from anabranch.service.store.store import Store


async def test_a_claim_is_suspected_once_with_the_journals_end_and_the_first_reason(store: Store) -> None:
    claim = await claimed(store, owner="first")
    await store.suspicions.record(claim.job, claim.epoch, Loss.HELD)
    await store.suspicions.record(claim.job, claim.epoch, Loss.ENDED)
    [suspicion] = await store.suspicions.list_against(claim.job)
    assert (suspicion.epoch, suspicion.owner, suspicion.reason) == (1, "first", Loss.HELD)
    assert suspicion.head_seq == (await store.jobs.get(claim.job)).head_seq


async def test_who_has_claimed_it_anew_is_not_blamed_for_the_one_before(store: Store) -> None:
    claim = await claimed(store, owner="first")
    await store.queue.release(claim.job, claim.epoch, 0.0)
    await store.suspicions.record(claim.job, claim.epoch, Loss.ENDED)
    [again] = await store.queue.claim("second", 30.0, 10)
    await store.suspicions.record(claim.job, claim.epoch, Loss.ENDED)
    assert await store.suspicions.list_against(again.job) == []


async def test_what_a_lost_owner_had_is_claimed_at_once_and_costs_no_attempt(store: Store) -> None:
    claims = [await claimed(store, owner="lost") for _ in range(3)]
    other = await claimed(store, owner="alive")
    done = await ended(store, owner="lost")
    assert await store.queue.hand_over("lost", suspects_after=60.0) == 3
    again = await store.queue.claim("next", 30.0, 10)
    assert {claim.job for claim in again} == {claim.job for claim in claims}
    assert {(claim.epoch, claim.attempt) for claim in again} == {(2, 1)}
    assert (await store.queue.heartbeat("alive", 30.0)).keys() == {other.job}
    assert (await store.jobs.get(done.id)).status == "succeeded"


async def test_a_suspect_waits_so_that_the_others_get_somewhere_first(store: Store) -> None:
    suspect, other = [await claimed(store, owner="lost") for _ in range(2)]
    await store.suspicions.record(suspect.job, suspect.epoch, Loss.ENDED)
    await store.queue.hand_over("lost", suspects_after=60.0)
    assert [claim.job for claim in await store.queue.claim("next", 30.0, 10)] == [other.job]


async def test_one_that_was_suspected_under_an_earlier_claim_waits_no_more(store: Store) -> None:
    claim = await claimed(store, owner="lost")
    await store.suspicions.record(claim.job, claim.epoch, Loss.ENDED)
    await store.queue.hand_over("lost", suspects_after=0.0)
    await store.queue.claim("lost", 30.0, 10)
    await store.queue.hand_over("lost", suspects_after=60.0)
    assert [again.job for again in await store.queue.claim("next", 30.0, 10)] == [claim.job]
