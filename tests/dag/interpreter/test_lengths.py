"""How much a decode may write: what was named, or what the context and the budget leave."""

from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Decoding, Finish, Usage
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import Budget, JobSpec, Problem, Sampling
from anabranch.dag.limits import Limits
from anabranch.dag.text import Base, say


def limits_of(simulation: Any) -> list[int | None]:
    return [started.max_tokens for started in of_kind(simulation, e.SegmentStarted)]


def samples(count: int, decoding: Decoding = Decoding()) -> a.Policy:
    child = a.Thought(base=Base.PROBLEM, decoding=decoding)
    forked: a.Forked = yield a.Fork(children=(child,) * count)
    joined: a.Joined = yield a.Join(targets=forked.branches)
    return a.Answer(text=joined.results[0].value)


def test_where_nobody_names_a_number_only_the_context_is_the_limit(simulate: Simulate) -> None:
    simulation = simulate("sequential", {"0": words(3000)}, max_tokens=None)
    assert limits_of(simulation) == [None]
    assert len(answer(simulation).text.split()) == 3000
    check(simulation)


def test_a_budget_is_all_for_one_line_of_thought(simulate: Simulate) -> None:
    simulation = simulate("sequential", {"0": words(3000)}, max_tokens=None, budget=Budget(tokens=2000))
    assert limits_of(simulation) == [2000]
    check(simulation)


def test_decodes_that_begin_together_share_a_budget(simulate: Simulate) -> None:
    """None of them waits until the first has ended."""
    simulation = simulate(
        lambda problem: samples(4), lambda decode: words(10), max_tokens=None, budget=Budget(tokens=1000)
    )
    assert limits_of(simulation) == [250, 250, 250, 250]
    assert simulation.now == 10.0
    check(simulation)


def test_a_price_shares_alike(simulate: Simulate) -> None:
    simulation = simulate(
        lambda problem: samples(2),
        lambda decode: words(10),
        max_tokens=None,
        budget=Budget(cost=1.0),
        limits=Limits(completion_price=0.01),
    )
    assert limits_of(simulation) == [50, 50]


def test_a_trunk_that_forks_while_it_writes_leaves_half_to_its_branches(simulate: Simulate) -> None:
    trunk = [f"<FORK-1>2+2?</FORK-1> {words(30)} <JOIN-1>", "<ANSWER>4</ANSWER>"]
    script = {"0": trunk, "0.1": "<RETURN>4</RETURN>"}
    simulation = simulate(
        "async-think", script, params={"assist": "none"}, max_tokens=None, budget=Budget(tokens=1000)
    )
    first, *_ = limits_of(simulation)
    worker = next(s for s in of_kind(simulation, e.SegmentStarted) if s.branch == "0.1")
    assert first == 500
    assert worker.max_tokens is not None
    assert answer(simulation).text == "4"
    check(simulation)


@pytest.mark.parametrize("named", [7, 40])
def test_a_policys_own_number_stays(simulate: Simulate, named: int) -> None:
    def policy(problem: Problem) -> a.Policy:
        return (yield from samples(1, Decoding(max_tokens=named)))

    simulation = simulate(policy, {"0.1": words(50)}, max_tokens=None)
    assert limits_of(simulation) == [named]
    check(simulation)


def test_an_interrupted_decode_goes_on_without_a_limit() -> None:
    """Nothing is subtracted from what nobody named."""
    interpreter = Interpreter()
    spec = JobSpec(messages=(say("user", "q"),), policy="sequential", sampling=Sampling(max_tokens=None))
    interpreter.feed(e.JobSubmitted(spec=spec, policy_version="0"))
    interpreter.feed(e.JobClaimed(owner="one", attempt=1))
    cut = Decoded(text="one two", finish=Finish.INTERRUPTED, usage=Usage(completion_tokens=2))
    step = interpreter.feed(e.SegmentFinished(segment=1, attempt=1, decoded=cut))
    (again,) = [event for event in step.events if isinstance(event, e.SegmentStarted)]
    assert (again.segment, again.max_tokens) == (2, None)
