"""Money: reserved before a decode, settled after, the same in journal, projection and replay."""

import pytest
from tests.service.organizer.conftest import House

from anabranch.dag import events as e
from anabranch.dag.job import Budget, JobSpec, Sampling
from anabranch.dag.limits import COST, Limits
from anabranch.dag.replay import replay
from anabranch.dag.text import say
from anabranch.workers.engines.script import Line
from anabranch.workers.messages import DecodeRequest

PRICES = Limits(completion_price=0.01)


def job_of(cost: float | None, policy: str = "self-consistency", n: int = 4) -> JobSpec:
    return JobSpec(
        messages=(say("user", "What is six times seven?"),),
        policy=policy,
        params={"n": n, "stop": "all"} if policy == "self-consistency" else {},
        sampling=Sampling(max_tokens=10),
        budget=Budget(cost=cost),
    )


def ten_tokens(request: DecodeRequest) -> Line:
    return Line(text="\\boxed{42} is what I think it is, more or less")


async def test_what_a_job_cost_is_the_same_everywhere(house: House) -> None:
    async with house.organizer(ten_tokens):
        job = await house.submit_spec(job_of(None), limits=Limits(prompt_price=0.001, completion_price=0.01))
        row = await house.ended(job)
    records = await house.store.records(job)
    booked = [r.event.decoded for r in records if isinstance(r.event, e.SegmentFinished)]
    by_prices = sum(0.001 * d.usage.prompt_tokens + 0.01 * d.usage.completion_tokens for d in booked)
    assert row.cost == pytest.approx(by_prices)
    assert sum(decoded.extra[COST] for decoded in booked) == pytest.approx(row.cost)
    assert replay(records).state.cost == pytest.approx(row.cost)
    assert sum(branch.cost for branch in await house.store.branches(job)) == pytest.approx(row.cost)


@pytest.mark.parametrize("cents", [0, 5, 10, 15, 25, 39, 40])
async def test_a_job_never_spends_more_than_its_money(house: House, cents: int) -> None:
    async with house.organizer(ten_tokens):
        job = await house.submit_spec(job_of(cents / 100), limits=PRICES)
        row = await house.ended(job)
    assert row.cost <= cents / 100 + 1e-9
    exceeded = [event for event in await house.events(job) if isinstance(event, e.BudgetExceeded)]
    assert [event.resource for event in exceeded] == (["cost"] if cents <= 30 else [])
    assert (await house.store.audit(job)).sound


async def test_where_only_prompts_cost_money_the_last_one_may_pass_the_limit(house: House) -> None:
    async with house.organizer(ten_tokens):
        job = await house.submit_spec(job_of(0.001), limits=Limits(prompt_price=0.001, width=1))
        row = await house.ended(job)
    asked = len(house.asked)
    assert asked == 1
    assert row.cost > 0.001
