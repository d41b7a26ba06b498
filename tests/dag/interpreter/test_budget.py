"""Tokens and money: what may still be decoded, to the last token and the last cent."""

import pytest

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.interpreter.decode_run import DecodeRun
from anabranch.dag.job import Budget, JobSpec, Sampling
from anabranch.dag.limits import Limits
from anabranch.dag.text import say


def started(
    budget: Budget, limits: Limits, *, max_tokens: int = 10, usage: Usage = Usage()
) -> list[int | None]:
    """The tokens that each of three decodes was allowed, when each uses what `usage` says."""
    interpreter = Interpreter()
    spec = JobSpec(
        messages=(say("user", "q"),),
        policy="self-consistency",
        params={"n": 3, "stop": "all"},
        budget=budget,
        sampling=Sampling(max_tokens=max_tokens),
    )
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v", limits=limits))
    allowed: list[int | None] = []
    step = interpreter.feed(e.JobClaimed(owner="o", attempt=1))
    while asked := [event for event in step.events if isinstance(event, e.SegmentStarted)]:
        [segment] = asked
        allowed.append(segment.max_tokens)
        decoded = limits.priced(Decoded(text="7", finish=Finish.EOS, usage=usage))
        fact = e.SegmentFinished(branch=segment.branch, segment=1, attempt=1, decoded=decoded)
        step = interpreter.feed(fact)
    assert interpreter.state.reserved.tokens == 0
    return allowed


ONE_BY_ONE = 1
TEN = Usage(prompt_tokens=10, completion_tokens=10)


@pytest.mark.parametrize(
    ("tokens", "allowed"),
    [(30, [10, 10, 10]), (29, [10, 10, 9]), (21, [10, 10, 1]), (20, [10, 10]), (10, [10])],
)
def test_tokens_are_given_out_to_the_last(tokens: int, allowed: list[int]) -> None:
    assert started(Budget(tokens=tokens), Limits(width=ONE_BY_ONE), usage=TEN) == allowed


@pytest.mark.parametrize(
    ("cost", "allowed"), [(0.3, [10, 10, 10]), (0.25, [10, 10, 5]), (0.2, [10, 10]), (0.0, [])]
)
def test_money_is_given_out_to_the_last_cent_that_buys_a_token(cost: float, allowed: list[int]) -> None:
    assert started(Budget(cost=cost), Limits(width=ONE_BY_ONE, completion_price=0.01), usage=TEN) == allowed


@pytest.mark.parametrize(("cost", "allowed"), [(0.11, [10, 10]), (0.1, [10]), (0.05, [10])])
def test_where_only_prompts_cost_the_money_is_counted_once_they_are_read(
    cost: float, allowed: list[int]
) -> None:
    assert started(Budget(cost=cost), Limits(width=ONE_BY_ONE, prompt_price=0.01), usage=TEN) == allowed


def test_where_nothing_costs_money_no_budget_of_money_ends() -> None:
    assert started(Budget(cost=0.0), Limits(width=ONE_BY_ONE), usage=TEN) == [10, 10, 10]


def test_the_smaller_of_two_budgets_counts() -> None:
    limits = Limits(width=ONE_BY_ONE, completion_price=0.01)
    assert started(Budget(tokens=15, cost=0.3), limits, usage=TEN) == [10, 5]
    assert started(Budget(tokens=30, cost=0.15), limits, usage=TEN) == [10, 5]


def run_out(budget: Budget, limits: Limits) -> e.BudgetExceeded:
    """What is told when this budget is used up by one decode of ten tokens, or is nothing from the start."""
    interpreter = Interpreter()
    spec = JobSpec(
        messages=(say("user", "q"),), policy="self-consistency", params={"n": 3, "stop": "all"}, budget=budget
    )
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v", limits=limits))
    events = list(interpreter.feed(e.JobClaimed(owner="o", attempt=1)).events)
    decoded = limits.priced(Decoded(text="7", finish=Finish.EOS, usage=TEN))
    fact = e.SegmentFinished(branch=BranchId("0.1"), segment=1, attempt=1, decoded=decoded)
    if interpreter.state.open_segments:
        events += interpreter.feed(fact).events
    [exceeded] = [event for event in events if isinstance(event, e.BudgetExceeded)]
    return exceeded


def test_what_ran_out_is_told_with_its_limit_and_what_was_spent() -> None:
    priced = Limits(width=ONE_BY_ONE, completion_price=0.01)
    tokens, cost = e.Resource.TOKENS, e.Resource.COST
    told = [
        run_out(Budget(tokens=10), Limits(width=ONE_BY_ONE)),
        run_out(Budget(cost=0.1), priced),
        run_out(Budget(cost=0.0), priced),
        run_out(Budget(tokens=10, cost=0.1), priced),
    ]
    assert [(each.resource, each.limit, each.spent) for each in told] == [
        (tokens, 10.0, 10.0),
        (cost, 0.1, pytest.approx(0.1)),
        (cost, 0.0, 0.0),
        (tokens, 10.0, 10.0),
    ]


def test_what_was_written_before_an_interruption_counts_as_written() -> None:
    """Of ten tokens four were written: six are left, or what the budget still has."""
    for budget, left in ((Budget(), 6), (Budget(tokens=8), 4)):
        interpreter = Interpreter()
        spec = JobSpec(
            messages=(say("user", "q"),), policy="sequential", budget=budget, sampling=Sampling(max_tokens=10)
        )
        interpreter.feed(e.JobSubmitted(spec=spec, policy_version="v"))
        interpreter.feed(e.JobClaimed(owner="first", attempt=1))
        lost = Decoded(text="a b c d", finish=Finish.INTERRUPTED, usage=Usage(completion_tokens=4))
        step = interpreter.feed(e.SegmentFinished(segment=1, attempt=1, decoded=lost))
        [again] = [event for event in step.events if isinstance(event, e.SegmentStarted)]
        assert again.max_tokens == left


def test_a_decodes_room_never_falls_below_nothing_and_no_limit_stays_none() -> None:
    decodes = DecodeRun()
    decodes.begin(e.SegmentStarted(segment=1, max_tokens=5))
    decodes.spend(3)
    assert decodes.room == 2
    decodes.spend(3)
    assert decodes.room == 0
    decodes.begin(e.SegmentStarted(segment=2, max_tokens=None))
    decodes.spend(3)
    assert decodes.room is None


def test_an_interrupted_text_is_told_once() -> None:
    decodes = DecodeRun()
    decodes.interrupt(Decoded(text="a ", finish=Finish.INTERRUPTED, usage=Usage(completion_tokens=1)))
    rest = Decoded(text="b", finish=Finish.EOS, usage=Usage(completion_tokens=2))
    first = decodes.complete(rest, winding_down=False)
    assert (first.text, first.tokens) == ("a b", 3)
    second = decodes.complete(rest, winding_down=True)
    assert (second.text, second.tokens, second.winding_down) == ("b", 2, True)
