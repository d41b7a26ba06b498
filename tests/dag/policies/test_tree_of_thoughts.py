"""Tree of Thoughts: levels of steps, each judged as soon as it is there, the best kept."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Budget

REFUSED = Fault(cause="refused", retryable=False)
Tree = dict[str, list[str | Fault]]


def model(tree: Tree, marks: dict[str, str]) -> Callable[[Decode], str | Fault]:
    """Writes as next steps behind a path what the tree has there, one after the other; marks each path by its end."""
    left = {path: list(steps) for path, steps in tree.items()}

    def write(decode: Decode) -> str | Fault:
        [(_, text)] = decode.context.messages
        path = text.partition("so far:\n")[2].partition("\n\n")[0]
        steps = [step for step in path.split("\n") if step]
        if "Reply with the number" in text:
            return marks[steps[-1]]
        return left[steps[-1] if steps else ""].pop(0)

    return write


MINI = {"": ["A", "B", "C"], "A": ["A1", "A2", "A3"], "C": ["C1", "C2", "C3"]}
MARKS = {"A": "9", "B": "2", "C": "7", "A1": "4", "A2": "9", "A3": "0", "C1": "1", "C2": "1", "C3": "1"}


def run(simulate: Simulate, tree: Any = MINI, marks: Any = MARKS, **params: Any) -> Any:
    budget = params.pop("budget", Budget())
    simulation = simulate(
        "tree-of-thoughts",
        model(tree, marks),
        params={"depth": 2, "k": 3, "beam": 2, **params},
        budget=budget,
    )
    check(simulation)
    return simulation


def scores(simulation: Any) -> list[dict[str, float]]:
    return [dict(event.scores) for event in of_kind(simulation, e.BranchScored)]


def pruned(simulation: Any) -> list[tuple[tuple[str, ...], str]]:
    return [(event.pruned, event.rule) for event in of_kind(simulation, e.BranchesPruned)]


def test_the_best_of_each_level_go_on_and_the_best_path_is_the_answer(simulate: Simulate) -> None:
    """A 0.9, B 0.2, C 0.7: A and C are kept; behind them A2 0.9 leads."""
    simulation = run(simulate)
    assert answer(simulation).text == "A\nA2"
    assert answer(simulation).sources == ("0.1", "0.8")
    assert scores(simulation)[0] == {"0.1": 0.9, "0.2": 0.2, "0.3": 0.7}
    (first, rule), (second, _), (last, why) = pruned(simulation)
    assert (first, rule) == (("0.2",), "beam 2")
    assert set(second) == {"0.3", "0.9", "0.10", "0.11", "0.12"}  # with its last step, C itself is lost
    assert (last, why) == (("0.7",), "not the best")


def test_a_step_is_judged_as_soon_as_it_is_there(simulate: Simulate) -> None:
    """By hand: steps of 10, 20, 60 tokens, judges of 1; the next level begins at 61 and takes 5 + 1."""
    tree = {"": [words(10, "a"), words(20, "b"), words(60, "c")]}
    by_words = {words(10, "a"): "9", words(20, "b"): "1", words(60, "c"): "1"}
    tree[words(10, "a")] = [words(5, "x"), words(5, "y"), words(4, "z")]
    by_words |= {words(5, "x"): "9", words(5, "y"): "3", words(4, "z"): "3"}
    simulation = run(simulate, tree, by_words, beam=1)
    judged = [record.at.minute * 60 + record.at.second for record in simulation.records
              if isinstance(record.event, e.SegmentStarted) and record.event.structured]  # fmt: skip
    assert judged[:3] == [10, 20, 60]
    assert measure(simulation.records).critical_path_tokens == 61 + 6


def test_a_step_that_was_said_before_is_pruned_unjudged(simulate: Simulate) -> None:
    simulation = run(simulate, {"": ["A", "  a ", "C"], "A": ["A1", "A2", "A3"], "C": ["C1", "C2", "C3"]})
    assert pruned(simulation)[0] == (("0.2",), "nothing new")
    assert set(scores(simulation)[0]) == {"0.1", "0.3"}


def test_a_final_answer_that_leads_ends_the_search(simulate: Simulate) -> None:
    tree = {"": ["Add. Final answer: 7", "B", "C"]}
    simulation = run(simulate, tree, {"Add. Final answer: 7": "10", "B": "1", "C": "1"})
    assert answer(simulation).text == "Add. Final answer: 7"
    assert len(of_kind(simulation, e.BranchForked)) == 6


def test_a_final_answer_that_does_not_lead_waits_and_grows_no_more(simulate: Simulate) -> None:
    """It is kept beside A; when A's steps turn out worse, it is the answer."""
    tree = {"": ["Final answer: 7", "A", "B"], "A": ["A1", "A2", "A3"]}
    marks = {"Final answer: 7": "6", "A": "9", "B": "1", "A1": "1", "A2": "2", "A3": "3"}
    simulation = run(simulate, tree, marks)
    assert answer(simulation).text == "Final answer: 7"
    assert len(of_kind(simulation, e.BranchForked)) == 3 * 2 + 3 * 2


def test_one_branch_may_propose_all_steps_as_a_list(simulate: Simulate) -> None:
    tree = {"": ["1. A\n2. B\n3. C\n"], "A": ["Here:\n1. A1\n2. A2"], "C": ["1. C1"]}
    simulation = run(simulate, tree, generate="propose")
    assert answer(simulation).text == "A\nA2"
    assert scores(simulation) == [{"0.1": 0.9}, {"0.5": 0.9, "0.6": 0.1}]


def voting(tree: Tree, choices: list[str]) -> Callable[[Decode], str | Fault]:
    steps = model(tree, {})
    left = list(choices)

    def write(decode: Decode) -> str | Fault:
        return left.pop(0) if "most promising" in decode.context.messages[-1][1] else steps(decode)

    return write


def test_voters_may_choose_among_all_of_a_level(simulate: Simulate) -> None:
    write = voting(MINI, ["1", "3", "1", "2", "2", "none"])
    params = {"depth": 2, "k": 3, "beam": 1, "evaluate": "vote", "votes": 3}
    simulation = simulate("tree-of-thoughts", write, params=params)
    assert answer(simulation).text == "A\nA2"
    first, second = of_kind(simulation, e.BranchesVoted)
    assert [(each.answer, each.weight) for each in first.classes] == [("1", 2.0), ("3", 1.0)]
    assert len(second.abstained) == 1
    check(simulation)


def test_several_judges_are_averaged(simulate: Simulate) -> None:
    left = ["9", "1", "4", "5"]

    def write(decode: Decode) -> str:
        return left.pop(0) if decode.decoding.structure else f"step {decode.branch}"

    params = {"depth": 1, "k": 2, "beam": 1, "votes": 2}
    simulation = simulate("tree-of-thoughts", write, params=params)
    assert scores(simulation) == [{"0.2": 0.45, "0.1": 0.5}]
    assert answer(simulation).text == "step 0.1"


def test_a_failed_step_is_one_less_and_a_failed_judge_gives_nothing(simulate: Simulate) -> None:
    tree = {"": [REFUSED, "B", "C"], "B": ["B1", "B2", "B3"], "C": [REFUSED] * 3}
    simulation = run(simulate, tree, {"B": "3", "C": REFUSED, "B1": "1", "B2": "2", "B3": "1"})
    assert answer(simulation).text == "B\nB2"


def test_when_no_step_can_be_had_any_more_the_best_so_far_is_the_answer(simulate: Simulate) -> None:
    simulation = run(simulate, {**MINI, "A": [REFUSED] * 3, "C": [REFUSED] * 3})
    assert answer(simulation).text == "A"


def test_without_a_first_step_there_is_no_answer(simulate: Simulate) -> None:
    simulation = run(simulate, {"": [REFUSED, "", REFUSED]})
    assert of_kind(simulation, e.JobFailed)[0].detail == "no first step was found"


@pytest.mark.parametrize("budget", [Budget(tokens=8), Budget(branches=8)])
def test_a_spent_budget_ends_the_search_with_the_best_so_far(simulate: Simulate, budget: Budget) -> None:
    simulation = simulate(
        "tree-of-thoughts",
        model(MINI, MARKS),
        params={"depth": 2, "k": 3, "beam": 2},
        budget=budget,
        max_tokens=1,
    )
    assert answer(simulation).text.startswith("A")
    assert ended(simulation)["0"] == "BranchReturned"
    check(simulation)
