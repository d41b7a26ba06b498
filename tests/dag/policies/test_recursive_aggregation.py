"""Recursive aggregation: populations that are made of the last one's members."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind
from tests.dag.policies.conftest import Heard, Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault
from anabranch.dag.errors import BadParameters
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Budget
from anabranch.dag.limits import Limits
from anabranch.dag.policies.parts.population import AGGREGATE, check_prompt, check_widths, choose
from anabranch.dag.policy import catalogue

LOST = Fault(cause="refused", retryable=False)


def reads(heard: Heard, branch: str) -> str:
    [decode] = heard.of(branch)
    return "\n".join(text for _, text in decode.context.messages)


def test_each_step_reads_the_last_and_the_majority_answers(simulate: Simulate) -> None:
    """By hand: the longest of each of three steps, 20 + 12 + 9. The answer is the solution as it was written."""
    script = {
        "0.1": words(10, "5"), "0.2": words(20, "6"), "0.3": words(5, "7"),
        "0.4": words(12, "6"), "0.5": words(3, "6"), "0.6": words(4, "5"),
        "0.7": words(9, "8"), "0.8": words(2, "7"), "0.9": words(3, "7"),
    }  # fmt: skip
    params = {"population": 3, "subset": 2, "steps": 3}
    simulation = simulate("recursive-aggregation", script, params=params)
    assert answer(simulation).text == "word 7"
    assert answer(simulation).sources == ("0.8",)
    assert measure(simulation.records).critical_path_tokens == 20 + 12 + 9
    check(simulation)


def test_a_member_reads_some_of_the_last_ones_and_the_seed_says_which(listen: Listen) -> None:
    script = {f"0.{i}": f"solution {i} says {i}" for i in range(1, 13)}
    read = {}
    for seed in (1, 2):
        heard = listen(
            "recursive-aggregation", script, params={"population": 6, "subset": 2, "steps": 2}, seed=seed
        )
        for branch in range(7, 13):
            shown = reads(heard, f"0.{branch}")
            read[seed, branch] = [i for i in range(1, 13) if f"solution {i} says" in shown]
    assert {len(members) for members in read.values()} == {2}
    assert all(set(members) <= set(range(1, 7)) for members in read.values())
    assert len({tuple(read[1, branch]) for branch in range(7, 13)}) > 1
    assert [read[1, branch] for branch in range(7, 13)] != [read[2, branch] for branch in range(7, 13)]


def test_a_subset_is_drawn_without_replacement_in_order() -> None:
    members = [BranchId(f"0.{i}") for i in range(1, 9)]
    drawn = choose(members, 3, "7/2/0")
    assert len(set(drawn)) == 3
    assert list(drawn) == [member for member in members if member in drawn]
    assert choose(members, 0, "7/2/0") == choose(members, 8, "7/2/0") == tuple(members)


def test_rounds_as_in_pacore_read_all_conclusions_and_end_in_one_thinker(listen: Listen) -> None:
    script = {
        "0.1": "a long way\n\nso 5", "0.2": "an odd road\n\nso 6", "0.3": "a third\n\nso 7",
        "0.4": "weighing\n\nit is 6", "0.5": "judging\n\nit is 5", "0.6": "In all, 6.\n\n\\boxed{6}",
    }  # fmt: skip
    params = {"preset": "pacore", "widths": [3, 2, 1]}
    heard = listen("recursive-aggregation", script, params=params, limits=Limits(final_thoughts=True))
    for branch in ("0.4", "0.5"):
        shown = reads(heard, branch)
        assert all(f"so {i}" in shown for i in (5, 6, 7))
        assert not any(way in shown for way in ("long way", "odd road", "a third"))
    assert "it is 6" in reads(heard, "0.6")
    assert "so 5" not in reads(heard, "0.6")
    assert answer(heard.simulation).text == "In all, 6.\n\n\\boxed{6}"
    assert answer(heard.simulation).sources == ("0.6",)
    assert [event.branch for event in of_kind(heard.simulation, e.SegmentStarted) if event.final] == ["0.6"]
    check(heard.simulation)


def test_what_failed_is_one_less_to_read(listen: Listen) -> None:
    script = {"0.1": "one 5", "0.2": LOST, "0.3": "three 6", "0.4": "four 6", "0.5": LOST, "0.6": "six 6"}
    heard = listen("recursive-aggregation", script, params={"population": 3, "subset": 3, "steps": 2})
    assert "one 5" in reads(heard, "0.4")
    assert "Candidate 3" not in reads(heard, "0.4")
    assert answer(heard.simulation).text == "four 6"
    check(heard.simulation)


def test_a_step_of_which_nothing_comes_leaves_the_last_one(simulate: Simulate) -> None:
    script = {"0.1": "one 5", "0.2": "two 5", "0.3": LOST, "0.4": LOST}
    simulation = simulate("recursive-aggregation", script, params={"population": 2, "subset": 2, "steps": 5})
    assert answer(simulation).text == "one 5"
    assert of_kind(simulation, e.ReasonGiven)[0].text == "step 2 of 5 is the last"
    check(simulation)


def test_branches_that_may_not_be_forked_end_it(simulate: Simulate) -> None:
    script = {f"0.{i}": f"so {i}" for i in range(1, 6)}
    params = {"population": 4, "subset": 2, "steps": 3}
    simulation = simulate("recursive-aggregation", script, params=params, budget=Budget(branches=5))
    assert answer(simulation).text == "so 5"
    check(simulation)


def test_solutions_without_an_answer_to_compare_give_the_first(simulate: Simulate) -> None:
    script = {f"0.{i}": f"A poem,\nnumber\n{'x' * i}" for i in range(1, 5)}
    params = {"population": 2, "subset": 2, "steps": 2}
    assert answer(simulate("recursive-aggregation", script, params=params)).sources == ("0.3",)


@pytest.mark.parametrize("widths", [[], [0, 1], [1000], [1] * 65])
def test_widths_that_make_no_sense_are_refused(widths: list[int]) -> None:
    with pytest.raises(BadParameters, match="1 to 64 numbers from 1 to 256"):
        check_widths(widths)


def test_nobody_reads_more_members_than_there_are() -> None:
    with pytest.raises(BadParameters, match="cannot read 3 of 2"):
        catalogue()["recursive-aggregation"].check({"population": 2, "subset": 3})


def test_a_prompt_without_candidates_would_aggregate_nothing() -> None:
    with pytest.raises(BadParameters, match="candidates"):
        check_prompt("Solve {question} again.")
    for prompt in (AGGREGATE, "Make one of them.", "{candidates}", "{question}\n{candidates}"):
        check_prompt(prompt)
