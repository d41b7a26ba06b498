"""Tree of Thoughts: levels of steps, each judged as soon as it is there, the best kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.actions import Result
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Fault
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Budget
from anabranch.dag.policies.trees.partial_solution import Node, stated_answer
from anabranch.dag.policies.trees.questions import Questions
from anabranch.dag.status import BranchStatus

REFUSED = Fault(cause="refused", retryable=False)
Tree = Mapping[str, Sequence[str | Fault]]


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


def scores(simulation: Any) -> list[dict[BranchId, float]]:
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


# -- the user's own words: the published game of 24 --------------------------------------------------------------------

Reads = Callable[[Decode], str | Fault]


def solver(proposals: dict[str, str], verdicts: dict[str, str]) -> Reads:
    """Proposes by what is left, states the answer at 24, and gives each state its verdict, after a word on why."""

    def write(decode: Decode) -> str | Fault:
        [(_, text)] = decode.context.messages
        if text.endswith("Steps:\n"):
            return proposals[text.rpartition("Numbers: ")[2].partition("\n")[0]]
        if "as one expression" in text:
            return "Answer: (13 - 9) * (10 - 4) = 24"
        if "Does this expression" in text:
            return "It is 4 * 6.\nsure"
        return f"Let me see.\n{verdicts[text.strip().rpartition(chr(10))[2]]}"

    return write


PROPOSALS = {
    "4 9 10 13": "13 - 9 = 4 (left: 4 4 10)\n10 - 4 = 6 (left: 6 9 13)\nI like this game.\n9 + 13 = 22 (left: 4 10 22)",
    "4 4 10": "10 - 4 = 6 (left: 4 6)\n",
    "6 9 13": "13 - 9 = 4 (left: 4 6)\n9 + 6 = 15 (left: 13 15)\n",
    "4 10 22": "22 + 4 = 26 (left: 10 26)",
    "4 6": "4 * 6 = 24 (left: 24)\n4 + 6 = 10 (left: 10)\n",
    "13 15": "nothing comes of it",
}
VERDICTS = {
    "4 4 10": "sure", "6 9 13": "Evaluation: **sure**", "4 10 22": "impossible", "4 6": "sure",
    "13 15": "impossible", "24": "sure", "10": "impossible", "10 26": "impossible",
}  # fmt: skip


def game(simulate: Simulate, **params: Any) -> Any:
    simulation = simulate(
        "tree-of-thoughts", solver(PROPOSALS, VERDICTS), question="4 9 10 13",
        params={"preset": "game-of-24", "beam": 2, **params},
    )  # fmt: skip
    check(simulation)
    return simulation


def test_the_published_game_of_24_is_a_preset(simulate: Simulate) -> None:
    """Three judges of each state; sure 20, likely 1, impossible 0.001, summed."""
    simulation = game(simulate)
    first, second = answer(simulation).text.split("\n\n")
    assert first == (
        "13 - 9 = 4 (left: 4 4 10)\n10 - 4 = 6 (left: 4 6)\n4 * 6 = 24 (left: 24)\nAnswer: (13 - 9) * (10 - 4) = 24"
    )
    assert second.startswith("10 - 4 = 6 (left: 6 9 13)")
    worths = [sorted(each.scores.values()) for each in of_kind(simulation, e.BranchScored)]
    assert worths[0] == [60.0]  # of nodes that one branch listed, the best tells: 60, 60, 0.003
    assert worths[3] == [60.0, 60.0]


def test_an_odd_line_is_dropped_and_recorded(simulate: Simulate) -> None:
    odd = [each.span for each in of_kind(game(simulate), e.ActionMalformed)]
    assert odd == ["I like this game."]


def test_each_question_is_all_that_is_read(listen: Listen) -> None:
    params = {"preset": "game-of-24", "beam": 1, "depth": 1}
    heard = listen("tree-of-thoughts", solver(PROPOSALS, VERDICTS), question="4 9 10 13", params=params)
    [step] = heard.of("0.1")
    [(_, asked)] = step.context.messages
    assert asked.endswith("Numbers: 4 9 10 13\nSteps:\n")
    assert asked.startswith("Combine two")
    assert len(heard.decodes) == 1  # on the last level what states no answer is worth nothing, unjudged


def test_of_equals_the_first_by_position_wins_whoever_was_faster(simulate: Simulate) -> None:
    tree = {"": [words(30, "A"), words(3, "B"), words(20, "C")]}
    marks = {words(30, "A"): "5", words(3, "B"): "5", words(20, "C"): "5"}
    assert answer(run(simulate, tree, marks, depth=1)).text == words(30, "A")
    twice = {"": [words(30, "A"), words(3, "B"), words(30, "A")]}
    assert answer(run(simulate, twice, marks, depth=1)).text == words(30, "A")


def test_all_kept_solutions_may_be_returned(simulate: Simulate) -> None:
    simulation = run(simulate, answer="all")
    assert answer(simulation).text == "A\nA2\n\nA\nA1"
    assert answer(simulation).sources == ("0.1", "0.8", "0.7")


@pytest.mark.parametrize("last", ["sure", "Sure.", "so: sure", "**sure**", "Verdict: `sure`"])
def test_a_verdict_is_a_judges_last_line(simulate: Simulate, last: str) -> None:
    def write(decode: Decode) -> str:
        return f"likely\n{last}" if "still lead" in decode.context.messages[-1][1] else f"s{decode.branch}"

    params = {"depth": 1, "k": 1, "beam": 1, "values": {"sure": 20, "likely": 1}, "votes": 2}
    assert scores(simulate("tree-of-thoughts", write, params=params)) == [{"0.1": 40}]


def test_a_judge_without_a_verdict_is_recorded_and_worth_nothing(simulate: Simulate) -> None:
    def write(decode: Decode) -> str:
        return "not sure" if "still lead" in decode.context.messages[-1][1] else f"s{decode.branch}"

    params = {"depth": 1, "k": 1, "beam": 1, "values": {"sure": 20}}
    simulation = simulate("tree-of-thoughts", write, params=params)
    assert scores(simulation) == [{"0.1": 0.0}]
    assert [each.problem for each in of_kind(simulation, e.ActionMalformed)] == ["no-verdict"]


def test_braces_in_question_steps_and_prompts_are_only_braces(listen: Listen) -> None:
    def write(decode: Decode) -> str:
        return "5" if decode.decoding.structure else "so {state} {0} \\boxed{7}"

    params = {"depth": 2, "k": 1, "beam": 1, "step_prompt": "Go on, {x} {question} {steps} \\boxed{}"}
    heard = listen("tree-of-thoughts", write, question="{steps} {!r} {", params=params)
    [(_, text)] = heard.of("0.3")[0].context.messages
    assert text == "Go on, {x} {steps} {!r} { so {state} {0} \\boxed{7}\n \\boxed{}"
    check(heard.simulation)


def test_a_list_that_was_cut_off_loses_its_last_line(simulate: Simulate) -> None:
    node = Questions(question="Q", depth=2, form="lines", k=9, judges=1, temperature=0.0)
    cut = Result(
        branch=BranchId("0.1"),
        ended=BranchStatus.RETURNED,
        value="A\nB\nC unfin",
        text="",
        tokens=3,
        flags=("truncated",),
    )
    nodes, odd = node.read_steps(Node(), cut)
    assert ([each.last for each in nodes], odd) == (["A", "B"], ["C unfin"])


def test_no_more_proposals_count_than_were_asked_for(simulate: Simulate) -> None:
    tree = {"": ["".join(f"{n}. step {n}\n" for n in range(1, 99))]}
    simulation = run(simulate, tree, {f"step {n}": "5" for n in range(1, 99)}, generate="propose", depth=1)
    assert len(of_kind(simulation, e.BranchForked)) == 1 + 3


def test_voters_with_a_prompt_of_their_own_reason_first(simulate: Simulate) -> None:
    def write(decode: Decode) -> str:
        text = decode.context.messages[-1][1]
        if "Compare them" in text:
            assert "Solution 2:\nplan 0." in text
            return "1 is dull, 2 drags on.\nThe best is 3."
        return f"plan {decode.branch}" if text.endswith("Plan:\n") else f"text {decode.branch}"

    simulation = simulate("tree-of-thoughts", write, params={"preset": "creative-writing"})
    assert answer(simulation).text == "plan 0.3\ntext 0.13"
    check(simulation)


def test_a_single_candidate_is_not_voted_on(simulate: Simulate) -> None:
    tree = {"": ["A", REFUSED, REFUSED]}
    simulation = run(simulate, tree, {}, depth=1, evaluate="vote")
    assert answer(simulation).text == "A"
    assert not of_kind(simulation, e.BranchesVoted)


@pytest.mark.parametrize(
    ("step", "stated"),
    [
        ("Die Größe der Straße ist groß. Final answer: 42", "42"),
        ("FINAL ANSWER: 41, or rather final answer: 42\n", "42"),
        ("Final answer:", ""),
        ("Nothing is stated: 42", "Nothing is stated: 42"),
    ],
)
def test_a_judge_reads_all_of_a_stated_answer(step: str, stated: str) -> None:
    assert stated_answer(step, "final answer") == stated
    assert stated_answer(step, "") == step
