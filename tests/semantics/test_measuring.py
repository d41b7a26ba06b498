"""Numbers: the critical path, rewards, signs of hacking, votes."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, of_kind
from tests.dag.policies.test_async_think import TRAINED, paper_example
from tests.dag.policies.test_thread_weaver import SCRIPT as WOVEN
from tests.semantics.scenes import PUBLISHED, REFUSED

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.analysis import rewards
from anabranch.dag.analysis.concurrency import blocked_seconds, concurrency
from anabranch.dag.analysis.graph import build
from anabranch.dag.analysis.metrics import longest_path, makespan, measure
from anabranch.dag.analysis.redundancy import redundancy
from anabranch.dag.job import Problem
from anabranch.dag.limits import Limits
from anabranch.dag.text import say

# -- 21 ----------------------------------------------


def test_21_t_is_the_longest_path_of_decoded_tokens_queues_left_out(simulate: Simulate) -> None:
    """Alone or in a queue of one, T stays; makespan and wall-clock tell of the queue."""
    free = simulate("async-think", paper_example(), params=TRAINED)
    queued = simulate("async-think", paper_example(), params=TRAINED, limits=Limits(width=1))
    assert measure(free.records).critical_path_tokens == measure(queued.records).critical_path_tokens == 175
    assert measure(free.records).wall_seconds == 175
    assert measure(queued.records).wall_seconds > 175
    assert makespan(build(free.records), 3) == 175
    assert makespan(build(free.records), 1) == 295


def test_21_unjoined_branches_are_in_l_and_in_waste_and_not_in_t(simulate: Simulate) -> None:
    script = {"0": f"<FORK-1>a</FORK-1> {words(10, '<ANSWER>x</ANSWER>')}", "0.1": words(500)}
    metrics = measure(simulate("async-think", script, params=TRAINED).records)
    assert (metrics.critical_path_tokens, metrics.total_tokens, metrics.waste_tokens) == (11, 21, 10)


def test_21_a_blocked_organizer_is_not_active(simulate: Simulate) -> None:
    simulation = simulate("async-think", paper_example(), params=TRAINED)
    assert blocked_seconds(simulation.records) == {"0": 30}
    assert concurrency(build(simulation.records)) == pytest.approx(295 / 175)


# -- 22 ----------------------------------------------


def test_22_rewards_are_gated_by_correctness_and_clipped(simulate: Simulate) -> None:
    simulation = simulate("async-think", paper_example(), params=TRAINED)
    eta = concurrency(build(simulation.records))
    speed = rewards.async_think_concurrency(eta, 3, tau=0.5)
    assert speed == 1
    errors = len(of_kind(simulation, e.ActionMalformed))
    reward = rewards.async_think(
        rewards.async_think_accuracy(1), speed, format_errors=errors, weight=0.2, penalty=-1
    )
    assert reward == 1.2
    critical = longest_path(build(simulation.records))[0]
    assert rewards.thread_weaver(False, critical, 295) == 0


def test_22_a_format_error_overrides_the_reward(simulate: Simulate) -> None:
    simulation = simulate("async-think", {"0": "no tag at all"}, params=TRAINED)
    errors = len(of_kind(simulation, e.ActionMalformed))
    assert rewards.async_think(1, 1, format_errors=errors, weight=0.2, penalty=-1) == -1


def test_22_mixed_terms_are_never_divided_by_their_deviation() -> None:
    assert rewards.p_grpo_advantages([1.10, 1.11, 1.12]) == pytest.approx((-0.01, 0, 0.01))


def test_22_hacking_shows_in_the_journal(simulate: Simulate) -> None:
    """Empty, duplicate and unjoined branches, similar siblings, and what each was meant to do."""
    script = {
        "0": [
            "<FORK-1>a</FORK-1> <FORK-2>b</FORK-2> <FORK-3>c</FORK-3> <JOIN-1>",
            "<JOIN-2>",
            "<ANSWER>x</ANSWER>",
        ],
        "0.1": "<RETURN>the same words</RETURN>",
        "0.2": "<RETURN>the same words</RETURN>",
        "0.3": " ",
    }
    simulation = simulate("async-think", script, params={**TRAINED, "c": 4})
    found = redundancy(simulation.records)
    assert (found.empty, found.duplicate, found.never_joined) == (("0.3",), ("0.2",), ("0.3",))
    assert found.similarity == {"0": 1}


def test_22_the_outline_a_branch_was_given_stands_beside_what_it_wrote(simulate: Simulate) -> None:
    simulation = simulate("thread-weaver", WOVEN, params=PUBLISHED)
    labels = [event.label for event in of_kind(simulation, e.BranchForked)]
    assert labels == ["Factor 84.", "Factor 126."]


# -- 23 ----------------------------------------------


def test_23_abstentions_and_failures_are_counted(simulate: Simulate) -> None:
    script = {"0.1": "7", "0.2": "no idea\nat all", "0.3": REFUSED}
    simulation = simulate("self-consistency", script, params={"n": 3, "stop": "all"})
    last = of_kind(simulation, e.BranchesVoted)[-1]
    assert set(last.abstained) == {"0.2", "0.3"}
    assert [(each.answer, each.weight) for each in last.classes] == [("7", 1)]


def test_23_a_tie_has_a_rule_that_is_recorded(simulate: Simulate) -> None:
    simulation = simulate(
        "self-consistency", {"0.1": words(9, "2"), "0.2": "1"}, params={"n": 2, "stop": "all"}
    )
    last = of_kind(simulation, e.BranchesVoted)[-1]
    assert (last.winner, last.tie) == ("1", "first ballot cast")


def test_23_equal_is_what_means_the_same(simulate: Simulate) -> None:
    script = {"0.1": r"\boxed{1/2}", "0.2": r"\boxed{0.5}", "0.3": r"\boxed{50\%}", "0.4": r"\boxed{3}"}
    simulation = simulate("self-consistency", script, params={"n": 4, "stop": "all"})
    assert len(answer(simulation).sources) == 3


def test_23_weights_decide_and_are_recorded(simulate: Simulate) -> None:
    def weighed(problem: Problem) -> a.Policy:
        child = a.Thought(messages=(say("user", "x"),))
        forked: a.Forked = yield a.Fork(children=(child,) * 3)
        joined: a.Joined = yield a.Join(targets=forked.branches)
        ballots = tuple(
            a.Ballot(branch=result.branch, answer=result.value, weight=weight)
            for result, weight in zip(joined.results, (1.0, 1.0, 2.5), strict=True)
        )
        voted: a.Voted = yield a.Vote(ballots=ballots)
        return a.Answer(text=voted.winner or "")

    simulation = simulate(weighed, {"0.1": "yes", "0.2": "yes", "0.3": "no"})
    assert answer(simulation).text == "no"
    assert [each.weight for each in of_kind(simulation, e.BranchesVoted)[0].classes] == [2.5, 2.0]
