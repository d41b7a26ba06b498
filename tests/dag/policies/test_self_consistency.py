"""Self-consistency: majority by meaning, stopped as soon as nobody else can win."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault


def samples(*each: tuple[int, str]) -> dict[str, str]:
    """Branch i writes so many tokens and then its answer."""
    return {f"0.{i}": words(tokens, text) for i, (tokens, text) in enumerate(each, start=1)}


def test_the_protocols_example_stops_at_the_third_19(simulate: Simulate) -> None:
    """Section 8: answers 19, 19, 18, 19, parse failure: the third 19 decides, the fifth sample is cut."""
    script = samples((10, "19"), (20, "19"), (30, "18"), (40, "19"), (900, "word"))
    simulation = simulate("self-consistency", script, params={"n": 5})
    assert answer(simulation).text == "19"
    assert answer(simulation).sources == ("0.1", "0.2", "0.4")
    last = of_kind(simulation, e.BranchesVoted)[-1]
    assert {each.answer: each.weight for each in last.classes} == {"19": 3, "18": 1}
    assert ended(simulation)["0.5"] == "BranchCancelled"
    metrics = measure(simulation.records)
    assert (metrics.critical_path_tokens, metrics.waste_tokens) == (40, 40)
    check(simulation)


def test_answers_that_mean_the_same_count_as_one(simulate: Simulate) -> None:
    script = samples((1, r"\boxed{1/2}"), (2, r"\boxed{0.5}"), (3, r"\boxed{\frac{1}{2}}"), (4, r"\boxed{3}"))
    simulation = simulate("self-consistency", script, params={"n": 4, "stop": "all"})
    assert answer(simulation).text == "1/2"
    assert len(answer(simulation).sources) == 3


def test_a_sample_without_an_answer_abstains_and_is_counted(simulate: Simulate) -> None:
    script = samples((1, "so:\nseven"), (2, "7"), (3, "7"))
    simulation = simulate("self-consistency", script, params={"n": 3, "stop": "all"})
    assert of_kind(simulation, e.BranchesVoted)[-1].abstained == ("0.1",)


def test_a_tie_goes_to_the_answer_found_first_and_the_rule_is_recorded(simulate: Simulate) -> None:
    script = samples((5, "2"), (1, "1"))
    simulation = simulate("self-consistency", script, params={"n": 2, "stop": "all"})
    assert answer(simulation).text == "1"
    assert of_kind(simulation, e.BranchesVoted)[-1].tie == "first ballot cast"


def test_one_failed_sample_never_fails_the_job(simulate: Simulate) -> None:
    script = {**samples((1, "7"), (2, "7")), "0.3": Fault(cause="refused", retryable=False)}
    simulation = simulate("self-consistency", script, params={"n": 3, "stop": "all"})
    assert answer(simulation).text == "7"
    assert ended(simulation)["0.3"] == "BranchFailed"
    check(simulation)


def test_no_answer_at_all_fails_the_job_and_says_what_was_tried(simulate: Simulate) -> None:
    simulation = simulate("self-consistency", samples((1, "what\nnow"), (1, "who\nknows")), params={"n": 2})
    [failed] = of_kind(simulation, e.JobFailed)
    assert failed.detail == "none of 2 samples contained an answer"


@pytest.mark.parametrize(("m", "tokens"), [(1, 10), (3, 20)])
def test_short_m_at_k_takes_the_first_m(simulate: Simulate, m: int, tokens: int) -> None:
    """arXiv 2505.17813: run k, stop when the first m have ended, vote among them; sooner, when two of three agree."""
    script = samples((30, "9"), (10, "5"), (20, "5"), (90, "9"))
    simulation = simulate("self-consistency", script, params={"n": 4, "stop": "first", "m": m})
    assert answer(simulation).text == "5"
    assert measure(simulation.records).critical_path_tokens == tokens
    check(simulation)


def test_samples_share_the_problem_and_differ_by_seed(simulate: Simulate) -> None:
    simulation = simulate("self-consistency", samples((1, "7"), (2, "7"), (3, "7")), params={"n": 3})
    seeds = {event.seed for event in of_kind(simulation, e.SegmentStarted)}
    assert len(seeds) == 3


def test_a_sample_that_was_cut_off_votes_only_with_a_closed_box(simulate: Simulate) -> None:
    """Its last number may be half of one: 4 of 42."""
    script = {
        "0.1": words(9, "4"),
        "0.2": words(5, "42"),
        "0.3": words(4, "\\boxed{42}") + " and so on and on",
    }
    simulation = simulate("self-consistency", script, params={"n": 3, "stop": "all"}, max_tokens=7)
    last = of_kind(simulation, e.BranchesVoted)[-1]
    assert {each.answer: each.weight for each in last.classes} == {"42": 2}
    assert last.abstained == ("0.1",)


def test_a_single_sample_is_the_answer(simulate: Simulate) -> None:
    assert answer(simulate("self-consistency", {"0.1": "so 42"}, params={"n": 1})).text == "42"
