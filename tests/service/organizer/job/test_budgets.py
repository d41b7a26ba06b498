"""Money: reserved before a decode, settled after, the same in journal, projection and replay."""

import pytest
from tests.service.organizer.conftest import House

from anabranch.dag import events as e
from anabranch.dag.job import Budget, JobSpec, Sampling
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits
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
    records = await house.store.journal.read(job)
    booked = [r.event.decoded for r in records if isinstance(r.event, e.SegmentFinished)]
    by_prices = sum(0.001 * d.usage.prompt_tokens + 0.01 * d.usage.completion_tokens for d in booked)
    assert row.cost == pytest.approx(by_prices)
    assert sum(decoded.cost for decoded in booked) == pytest.approx(row.cost)
    assert replay(records).state.cost == pytest.approx(row.cost)
    assert sum(branch.cost for branch in await house.store.jobs.list_branches(job)) == pytest.approx(row.cost)


@pytest.mark.parametrize("cents", [0, 5, 10, 15, 25, 39, 40])
async def test_a_job_never_spends_more_than_its_money(house: House, cents: int) -> None:
    async with house.organizer(ten_tokens):
        job = await house.submit_spec(job_of(cents / 100), limits=PRICES)
        row = await house.ended(job)
    assert row.cost <= cents / 100 + 1e-9
    exceeded = [event for event in await house.events(job) if isinstance(event, e.BudgetExceeded)]
    assert [event.resource for event in exceeded] == (["cost"] if cents <= 30 else [])
    assert (await house.store.maintenance.audit(job)).sound


async def test_where_only_prompts_cost_money_the_last_one_may_pass_the_limit(house: House) -> None:
    async with house.organizer(ten_tokens):
        job = await house.submit_spec(job_of(0.001), limits=Limits(prompt_price=0.001, width=1))
        row = await house.ended(job)
    asked = len(house.asked)
    assert asked == 1
    assert row.cost > 0.001


async def test_a_branch_that_takes_too_long_is_cut_off_and_the_job_goes_on(house: House) -> None:
    def script(request: DecodeRequest) -> Line:
        return Line(text="so it goes " * 1000 if request.key.branch == "0.2" else "it is 42")

    async with house.organizer(script, speed=50):
        job = await house.submit(
            "self-consistency", {"n": 3, "stop": "all"}, budget=Budget(branch_seconds=0.5)
        )
        row = await house.ended(job)
    cut_off = [event for event in await house.events(job) if isinstance(event, e.BranchCancelled)]
    assert [(event.branch, event.by) for event in cut_off] == [("0.2", "deadline")]
    assert row.status == "succeeded"
    assert row.usage.completion_tokens > 6  # what it wrote until then is on the bill


async def test_a_job_that_waits_for_people_is_let_go_and_still_ends_at_its_deadline(house: House) -> None:
    async with house.organizer(ten_tokens) as organizer:
        job = await house.submit("sequential", budget=Budget(seconds=2.0), approvals=("answer",))
        await house.until(job, lambda row: row.status == "waiting" and not organizer._held)
        row = await house.ended(job)
    assert row.answer is None and row.error is not None
    assert (row.error["type"], row.error["detail"]) == (
        "deadline",
        "no answer had been approved when the time was up",
    )
    assert (await house.store.maintenance.audit(job)).sound
