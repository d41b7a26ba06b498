"""A job that is submitted in an organizer's process is claimed in the transaction that submits it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.service.organizer.conftest import House
from tests.service.organizer.test_costs import Written, forty_two, written

from anabranch.dag.job import JobSpec
from anabranch.dag.text import say
from anabranch.service.organizer.first_hand import FirstHand
from anabranch.service.organizer.loop import Organizer
from anabranch.service.store.jobs.submissions import Taker
from anabranch.service.store.rows import NewJob, Submitted

__all__ = ["written"]
SPEC = JobSpec(messages=(say("user", "What is six times seven?"),), policy="sequential", params={}, seed=7)


async def submit(house: House, taker: Taker | None, **fields: str) -> Submitted:
    new = NewJob(spec=SPEC, policy_version="1", trace_id="a" * 32, **fields)  # type: ignore[arg-type]
    (submitted,) = await house.store.jobs.submit_all([new], taker)
    return submitted


async def promised(hand: FirstHand, jobs: int = 1) -> Taker:
    """Once the organizer has looked at the queue, and found it empty."""
    async with asyncio.timeout(20):
        while (taker := hand.promise(jobs)) is None:
            await asyncio.sleep(0.01)
    return taker


@asynccontextmanager
async def taking(house: House) -> AsyncIterator[tuple[Organizer, FirstHand]]:
    async with house.organizer(forty_two) as organizer:
        yield organizer, FirstHand(organizer)


async def test_no_other_transaction_claims_it(house: House, written: Written) -> None:
    async with taking(house) as (_, hand):
        taker = await promised(hand)
        submitted = await submit(house, taker)
        assert submitted.claim is not None
        hand.give(1, [submitted.claim])
        await house.ended(submitted.job.id)
    assert written.claims == []
    kinds = [type(event).__name__ for event in await house.events(submitted.job.id)]
    assert (kinds[:2], kinds[-1]) == (["JobSubmitted", "JobClaimed"], "JobSucceeded")
    assert (await house.store.jobs.get(submitted.job.id)).epoch == 1


async def test_a_claim_that_is_lost_on_its_way_is_taken_up_all_the_same(house: House) -> None:
    async with taking(house) as (_, hand):
        lost = await submit(house, await promised(hand))
        await house.ended(lost.job.id)
    assert (await house.store.jobs.get(lost.job.id)).epoch == 2
    assert (await house.events(lost.job.id))[1].attempt == 1  # type: ignore[union-attr]


async def test_no_more_is_promised_than_there_is_room_for(house: House) -> None:
    async with taking(house) as (organizer, hand):
        await promised(hand, organizer.room_for_fresh)
        assert hand.promise(1) is None
        hand.give(organizer.room_for_fresh, [])
        await promised(hand)


async def test_nothing_is_promised_while_others_wait(house: House) -> None:
    async with taking(house) as (organizer, hand):
        await promised(hand)
        organizer.nudge(submitted_elsewhere := (await submit(house, None)).job.id)
        assert hand.promise(1) is None
        await house.ended(submitted_elsewhere)
