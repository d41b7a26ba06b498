"""Every policy that samples can go on with the first few results, or with what has ended when a time is up."""

from typing import Any, get_type_hints

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Decode
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.journal.replay import replay
from anabranch.dag.policies.parts.waiting import Within
from anabranch.dag.policy import policy_named

STRAGGLER = "0.2"
SAMPLING: dict[str, dict[str, Any]] = {
    "self-consistency": {"n": 4, "stop": "all"},
    "best-of-n": {"n": 4, "verifier": "regex", "spec": {"pattern": "42"}, "stop": "all"},
    "deep-conf": {"n": 4, "warmup": 4},
    "dynasor": {"n": 3},
    "new-angles": {"n": 3},
    "para-thinker": {"paths": 4, "stop": "all"},
    "recursive-aggregation": {"population": 4, "steps": 1},
}


def slow_second(decode: Decode) -> str:
    """A second for each word; the straggler needs a thousand, and nobody can decide without it."""
    if decode.branch == STRAGGLER:
        return words(1000)
    return words(5, "\\boxed{41}" if decode.branch == "0.3" else "\\boxed{42}")


def scores(command: Any) -> e.BranchScored:
    return e.BranchScored(branch=command.branch, scores=dict.fromkeys(command.values, 0.5), by="regex")


@pytest.mark.parametrize("policy", SAMPLING)
def test_when_the_time_is_up_what_has_ended_decides(simulate: Simulate, policy: str) -> None:
    params = {**SAMPLING[policy], "within": 30.0}
    simulation = simulate(policy, slow_second, params=params, verify=scores)
    check(simulation)
    assert "42" in answer(simulation).text
    assert measure(simulation.records).wall_seconds < 60
    assert ended(simulation)[STRAGGLER] == "BranchCancelled"
    assert any(join.expired for join in of_kind(simulation, e.BranchesJoined))


@pytest.mark.parametrize("policy", ["best-of-n", "recursive-aggregation"])
def test_the_first_few_are_enough(simulate: Simulate, policy: str) -> None:
    simulation = simulate(policy, slow_second, params={**SAMPLING[policy], "enough": 2}, verify=scores)
    check(simulation)
    assert measure(simulation.records).wall_seconds < 10
    assert ended(simulation)[STRAGGLER] == "BranchCancelled"


@pytest.mark.parametrize("policy", SAMPLING)
def test_all_say_it_by_the_same_parameter(policy: str) -> None:
    assert get_type_hints(policy_named(policy).function, include_extras=True)["within"] == Within


def test_the_seconds_count_from_the_first_wait_however_often_it_joins(simulate: Simulate) -> None:
    """Samples end at 5, 10, 15 and 1000 s: each join but the last is satisfied before its own 12 s are over."""

    def staggered(decode: Decode) -> str:
        number = int(decode.branch.split(".")[1])
        return words({1: 5, 2: 10, 3: 15, 4: 1000}[number], f"\\boxed{{{number}}}")

    simulation = simulate("self-consistency", staggered, params={"n": 4, "within": 12.0})
    check(simulation)
    assert measure(simulation.records).wall_seconds == 12.0
    assert [len(join.joined) for join in of_kind(simulation, e.BranchesJoined)] == [1, 1, 0]


def test_other_branches_have_their_own_time(simulate: Simulate) -> None:
    def policy(problem: Any) -> a.Policy:
        for _ in range(2):
            forked: a.Forked = yield a.Fork(children=(a.Thought(),))
            joined: a.Joined = yield a.Join(targets=forked.branches, seconds=10.0)
            yield a.Cancel(branches=joined.pending, reason="its time is up")
        return a.Answer(text="done")

    simulation = simulate(policy, lambda _: words(1000))
    check(simulation)
    assert measure(simulation.records).wall_seconds == 20.0


def test_after_a_crash_the_join_is_owed_with_its_first_request(simulate: Simulate) -> None:
    simulation = simulate("self-consistency", slow_second, params={"n": 4, "within": 30.0})
    third = [r.seq for r in simulation.records if isinstance(r.event, e.JoinRequested)][2]
    owed = _at(simulation.records[:third]).owed()
    assert [(command.join, command.since, command.seconds) for command in owed] == [(3, 1, 30.0)]  # type: ignore[union-attr]


def _at(records: list[e.Record]) -> Interpreter:
    return replay(records)
