"""MCTS: UCT over steps, several rollouts in flight, and a tree that depends on the seed alone."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Budget

REFUSED = Fault(cause="refused", retryable=False)


def kind(decode: Decode) -> str:
    asked = decode.context.messages[-1][1]
    return "judge" if decode.decoding.structure else "rollout" if "Complete this" in asked else "step"


def model(marks: list[str], faults: tuple[str, ...] = ()) -> Callable[[Decode], str | Fault]:
    """Steps and rollouts are named for their branch; judges give these marks in the order of their branches."""
    given: dict[str, str] = {}
    left = list(marks)

    def write(decode: Decode) -> str | Fault:
        if decode.branch in faults:
            return REFUSED
        if kind(decode) == "judge":
            return given.setdefault(decode.branch, left.pop(0) if left else "1")
        return f"{kind(decode)}_{decode.branch}"

    return write


def run(simulate: Simulate, write: Any, **params: Any) -> Any:
    rest = {name: params.pop(name) for name in ("budget", "pace_of", "seed", "max_tokens") if name in params}
    simulation = simulate("mcts", write, params=params, **rest)
    check(simulation)
    return simulation


def tree(simulation: Any) -> dict[str, tuple[str, ...]]:
    """Each step with the steps it stands behind, in the order in which they were forked."""
    return {event.child: event.after for event in of_kind(simulation, e.BranchForked) if event.role == "step"}


def test_each_iteration_is_a_step_a_rollout_and_a_judge_each_behind_the_one_before(
    simulate: Simulate,
) -> None:
    simulation = run(simulate, model(["5"]), iterations=1)
    after = {event.child: (event.role, event.after) for event in of_kind(simulation, e.BranchForked)}
    assert after == {"0.1": ("step", ()), "0.2": ("rollout", ("0.1",)), "0.3": ("judge", ("0.1", "0.2"))}
    assert answer(simulation).text == "step_0.1\nrollout_0.2"
    assert answer(simulation).sources == ("0.1", "0.2")


def test_rollouts_run_side_by_side(simulate: Simulate) -> None:
    """By hand: a step of 10, a rollout of 30, a judge of 1: 41 a round; 6 iterations, 3 at once, are two rounds."""
    text = {"step": words(10, "s"), "rollout": words(30, "r"), "judge": "4"}
    simulation = run(simulate, lambda decode: text[kind(decode)], iterations=6, parallel=3)
    metrics = measure(simulation.records)
    assert (metrics.critical_path_tokens, metrics.total_tokens) == (82, 6 * 41)


def test_after_the_root_is_full_the_best_step_is_expanded(simulate: Simulate) -> None:
    """One at a time, with equal visits UCT goes by value: 0.9 before 0.5 before 0.2."""
    simulation = run(simulate, model(["2", "9", "5"]), iterations=4, parallel=1)
    assert tree(simulation) == {"0.1": (), "0.4": (), "0.7": (), "0.10": ("0.4",)}


def test_virtual_loss_sends_the_next_rollout_elsewhere(simulate: Simulate) -> None:
    """Two at once. With one rollout under way behind 0.9 its place is worth 0.45 + 1.4 (ln 4 / 2)^½ = 1.62; the 0.5
    with 0.5 + 1.4 (ln 4)^½ = 2.15 is tried next, and not the 0.9 a second time."""
    simulation = run(simulate, model(["2", "9", "5", "0", "0"]), iterations=5, parallel=2, branching=3)
    assert list(tree(simulation).items())[3:] == [("0.10", ("0.4",)), ("0.13", ("0.7",))]


def test_exploration_is_what_a_seldom_visited_place_is_worth(simulate: Simulate) -> None:
    """After 0.9, 0.1 and a second 0.0 behind the first: greedy stays (0.45 > 0.1), an explorer leaves."""
    marks = ["9", "1", "0", "0"]
    greedy = run(simulate, model(marks), iterations=4, parallel=1, branching=2, exploration=0.0)
    explorer = run(simulate, model(marks), iterations=4, parallel=1, branching=2, exploration=5.0)
    assert tree(greedy)["0.10"] == ("0.1",)
    assert tree(explorer)["0.10"] == ("0.4",)


def test_the_tree_depends_on_the_seed_and_not_on_who_was_faster(simulate: Simulate) -> None:
    def by_seed(decode: Decode) -> str:
        return str(decode.seed % 10) if kind(decode) == "judge" else f"{kind(decode)} {decode.seed}"

    def grown(seed: int, pace: Callable[[Decode], float]) -> Any:
        simulation = run(simulate, by_seed, seed=seed, pace_of=pace, iterations=12, parallel=4)
        return tree(simulation), answer(simulation).text

    def uneven(decode: Decode) -> float:
        return 1.0 + decode.seed % 7

    assert grown(1, lambda decode: 1.0) == grown(1, uneven)
    assert grown(1, uneven) != grown(2, uneven)


def test_a_rollout_reads_the_whole_path_before_it(simulate: Simulate) -> None:
    seen: dict[str, str] = {}
    write = model(["2", "9", "5"])

    def watching(decode: Decode) -> str | Fault:
        seen[decode.branch] = decode.context.messages[-1][1]
        return write(decode)

    run(simulate, watching, iterations=4, parallel=1)
    assert "Steps of a solution so far:\nstep_0.4\nstep_0.10\n" in seen["0.11"]
    assert "A proposed answer:\n\nstep_0.4\nstep_0.10\nrollout_0.11" in seen["0.12"]


def test_full_marks_end_the_search_and_the_others_are_pruned(simulate: Simulate) -> None:
    simulation = run(simulate, model(["3", "10", "2", "2"]), iterations=12, parallel=4)
    assert answer(simulation).sources == ("0.4", "0.5")
    assert len(tree(simulation)) == 5
    [pruned] = of_kind(simulation, e.BranchesPruned)
    assert pruned.pruned == ("0.1", "0.2", "0.7", "0.8", "0.10", "0.11", "0.13", "0.14")


def test_a_step_with_a_final_answer_is_not_expanded(simulate: Simulate) -> None:
    def write(decode: Decode) -> str:
        return {"judge": "5", "step": "Final answer: 7", "rollout": "Final answer: 7"}[kind(decode)]

    simulation = run(simulate, write, iterations=12, parallel=2, branching=3)
    assert len(tree(simulation)) == 3  # the root is full, and nothing grows
    assert answer(simulation).text == "Final answer: 7"


def test_a_tree_that_is_full_ends_the_search(simulate: Simulate) -> None:
    simulation = run(simulate, model([]), iterations=100, parallel=3, branching=2, depth=2)
    assert len(tree(simulation)) == 2 + 4


@pytest.mark.parametrize("faulty", ["0.1", "0.2", "0.3"])
def test_a_rollout_that_fails_anywhere_is_no_visit_and_never_fails_the_job(
    simulate: Simulate, faulty: str
) -> None:
    simulation = run(simulate, model(["7", "7"], (faulty,)), iterations=2, parallel=1, branching=2)
    assert answer(simulation).sources == ("0.4", "0.5")


def test_if_nothing_comes_to_an_end_there_is_no_answer(simulate: Simulate) -> None:
    simulation = run(simulate, model([], ("0.1", "0.4")), iterations=2)
    assert of_kind(simulation, e.JobFailed)[0].detail == "none of 2 rollouts came to an end"


@pytest.mark.parametrize("branches", [4, 5, 6])
def test_a_budget_of_branches_ends_the_search_with_the_best_so_far(simulate: Simulate, branches: int) -> None:
    simulation = run(simulate, model(["5", "4"]), iterations=12, parallel=1, budget=Budget(branches=branches))
    assert answer(simulation).sources == ("0.1", "0.2")


def test_when_the_tokens_are_spent_the_best_so_far_is_the_answer(simulate: Simulate) -> None:
    simulation = run(
        simulate, model(["5", "4"]), iterations=12, parallel=1, budget=Budget(tokens=4), max_tokens=1
    )
    assert answer(simulation).sources == ("0.1", "0.2")


def test_a_single_rollout_is_the_answer(simulate: Simulate) -> None:
    simulation = run(simulate, model(["5"]), iterations=1, parallel=1, branching=1, depth=1)
    assert answer(simulation).text == "step_0.1\nrollout_0.2"


def test_of_equals_the_older_wins_whoever_was_faster(simulate: Simulate) -> None:
    for slow in ("0.1", "0.4"):
        simulation = run(
            simulate, model(["5", "5"]), iterations=2, parallel=2, branching=2, depth=1,
            pace_of=lambda decode, slow=slow: 9.0 if decode.branch == slow else 1.0,
        )  # fmt: skip
        assert answer(simulation).sources == ("0.1", "0.2")
