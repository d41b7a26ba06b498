"""Self-consistency: majority by meaning, stopped as soon as nobody else can win."""

import random
from fractions import Fraction
from itertools import groupby
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault
from anabranch.dag.errors import BadParameters
from anabranch.dag.job import Budget
from anabranch.dag.journal.replay import replay
from anabranch.dag.limits import Limits
from anabranch.dag.policies.parts.samples import lead_probability
from anabranch.dag.policy import catalogue
from anabranch.dag.simulator import Simulation


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


def test_who_waits_for_all_joins_and_votes_once(simulate: Simulate) -> None:
    script = samples((40, "41"), (30, "42"), (20, "42"), (10, "40"))
    simulation = simulate("self-consistency", script, params={"n": 4, "stop": "all"})
    (joined,), (voted,) = of_kind(simulation, e.BranchesJoined), of_kind(simulation, e.BranchesVoted)
    assert joined.joined == ("0.4", "0.3", "0.2", "0.1") and voted.decided
    assert answer(simulation).text == "42"


def test_who_waits_for_all_takes_those_in_time_once_their_window_is_over(simulate: Simulate) -> None:
    script = samples((5, "42"), (100, "41"), (6, "42"))
    params = {"n": 6, "window": 3, "stop": "all", "within": 30.0}
    simulation = simulate("self-consistency", script, params=params)
    check(simulation)
    (joined,) = of_kind(simulation, e.BranchesJoined)
    assert joined.expired and joined.joined == ("0.1", "0.3") and joined.pending == ("0.2",)
    assert len(of_kind(simulation, e.BranchForked)) == 3  # no further window
    assert answer(simulation).sources == ("0.1", "0.3")


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


# -- in windows --------------------------------------------------------------------------------------------------------


def drawn(simulation: Simulation) -> int:
    return len(of_kind(simulation, e.BranchForked))


def test_adaptive_consistency_stops_when_the_leader_is_likely_the_most_frequent(simulate: Simulate) -> None:
    """After four equal answers P(Beta(5, 1) > 1/2) = 31/32; after three it is 15/16, less than 0.95."""
    script = samples(*[(10, "7")] * 40)
    simulation = simulate("self-consistency", script, params={"preset": "adaptive-consistency"})
    assert answer(simulation).text == "7"
    assert drawn(simulation) == 4
    [why] = of_kind(simulation, e.ReasonGiven)
    assert (why.about, why.numbers) == (
        "stop",
        {"ended": 4, "stopped": 0, "not_drawn": 36, "spared_tokens": 360},
    )
    assert "0.969" in why.text
    assert measure(simulation.records).critical_path_tokens == 40
    check(simulation)


def test_windows_are_as_wide_as_there_is_room(simulate: Simulate) -> None:
    script = samples(*[(10, str(number)) for number in range(7)])
    params = {"n": 7, "as_room": True, "stop": "all"}
    slowed = Limits(slowdown=1.5)
    simulation = simulate("self-consistency", script, params=params, limits=slowed, room=lambda _running: 3)
    forked_or_ended = [
        isinstance(record.event, e.BranchForked)
        for record in simulation.records
        if isinstance(record.event, e.BranchForked | e.SegmentFinished)
    ]
    assert [len(list(each)) for forked, each in groupby(forked_or_ended) if forked] == [3, 3, 1]
    assert replay(simulation.records).state == simulation.interpreter.state


def test_a_window_as_wide_as_there_was_room_tells_what_it_saved(simulate: Simulate) -> None:
    script = samples(*[(10, "7")] * 7)
    slowed = Limits(slowdown=1.5)
    params = {"n": 7, "as_room": True}
    simulation = simulate("self-consistency", script, params=params, limits=slowed, room=lambda _running: 4)
    assert drawn(simulation) == 4
    [why] = of_kind(simulation, e.ReasonGiven)
    assert (why.about, why.text) == ("stop", "no other answer can win")
    assert why.numbers == {"ended": 4, "stopped": 0, "not_drawn": 3, "spared_tokens": 30}
    check(simulation)


def test_without_a_bound_on_slowing_a_window_is_the_width_of_the_job(simulate: Simulate) -> None:
    script = samples(*[(10, "7")] * 5)
    params = {"n": 5, "as_room": True, "stop": "all"}
    simulation = simulate("self-consistency", script, params=params, limits=Limits(width=2))
    assert drawn(simulation) == 5
    assert not of_kind(simulation, e.RoomTold)


def test_a_window_is_cut_short_once_the_rule_holds(simulate: Simulate) -> None:
    """Eight at once: the fourth 7 ends it at its 40th token, and what the others wrote by then is waste."""
    script = samples((10, "7"), (20, "7"), (30, "7"), (40, "7"), *[(90, "word")] * 4)
    simulation = simulate("self-consistency", script, params={"n": 16, "window": 8, "stop": "posterior"})
    metrics = measure(simulation.records)
    assert (metrics.critical_path_tokens, metrics.total_tokens, metrics.waste_tokens) == (40, 260, 160)
    assert of_kind(simulation, e.ReasonGiven)[0].numbers["stopped"] == 4
    check(simulation)


@pytest.mark.parametrize(
    ("first", "second", "lead"), [(0, 0, 0.5), (3, 0, 0.9375), (4, 0, 0.96875), (7, 2, 0.9453125)]
)
def test_the_posterior_is_exact(first: int, second: int, lead: float) -> None:
    """By hand: of first + second + 1 fair coins, at most `first` show heads."""
    votes = (("a", first), ("b", second))
    classes = [e.AnswerClass(answer=name, branches=(), weight=count) for name, count in votes]
    assert lead_probability(classes) == lead
    assert lead_probability([]) == 0.0


@given(first=st.integers(0, 1024), second=st.integers(0, 60))
def test_the_posterior_is_a_sum_of_binomials(first: int, second: int) -> None:
    votes = [e.AnswerClass(answer="a", branches=(), weight=max(first, second))]
    votes += [e.AnswerClass(answer="b", branches=(), weight=min(first, second))]
    total = first + second + 1
    at_most = sum(comb(total, k) for k in range(max(first, second) + 1))
    assert lead_probability(votes) == float(Fraction(at_most, 2**total))


def test_esc_stops_at_the_first_window_that_agrees(simulate: Simulate) -> None:
    """1 2 | 3 3: the second window agrees; 3 has two of four votes, and they outweigh one each."""
    script = samples((10, "1"), (20, "2"), (10, "3"), (30, "3"), *[(10, "1")] * 6)
    simulation = simulate("self-consistency", script, params={"n": 10, "window": 2, "stop": "unanimous"})
    assert answer(simulation).text == "3"
    assert drawn(simulation) == 4
    assert "all 2 samples" in of_kind(simulation, e.ReasonGiven)[0].text
    assert measure(simulation.records).critical_path_tokens == 20 + 30
    check(simulation)


def test_a_sample_that_abstains_does_not_agree(simulate: Simulate) -> None:
    script = samples((10, "3"), (20, "so:\nthree"), (10, "3"), (30, "3"), *[(10, "1")] * 6)
    simulation = simulate("self-consistency", script, params={"n": 10, "window": 2, "stop": "unanimous"})
    assert drawn(simulation) == 4


def test_a_window_waits_no_longer_than_the_quorum(simulate: Simulate) -> None:
    """Of six, four that agree decide: the third window is never drawn."""
    script = samples(*[(10, "7")] * 4)
    simulation = simulate("self-consistency", script, params={"n": 6, "window": 2})
    assert drawn(simulation) == 4
    assert of_kind(simulation, e.ReasonGiven)[0].text == "no other answer can win"


def test_all_draws_all_windows(simulate: Simulate) -> None:
    script = samples(*[(10, "7")] * 5)
    simulation = simulate("self-consistency", script, params={"n": 5, "window": 2, "stop": "all"})
    assert drawn(simulation) == 5
    assert not of_kind(simulation, e.ReasonGiven)


def test_a_window_without_places_draws_no_further(simulate: Simulate) -> None:
    script = samples(*[(10, "7")] * 3)
    params = {"n": 8, "window": 2, "stop": "posterior"}
    simulation = simulate("self-consistency", script, params=params, budget=Budget(branches=3))
    assert answer(simulation).text == "7"
    assert drawn(simulation) == 3
    check(simulation)


def test_agreement_needs_a_window() -> None:
    with pytest.raises(BadParameters, match="window must be 2 or more"):
        catalogue()["self-consistency"].check({"stop": "unanimous"})


@pytest.mark.parametrize("preset", ["adaptive-consistency", "esc"])
def test_windows_save_a_third_of_the_tokens_at_equal_answers(simulate: Simulate, preset: str) -> None:
    """Five sets of 20 questions whose answers are known. A sample is right with a probability that the question has;
    its length is its own. The same samples are drawn with and without windows."""
    for seed in range(5):
        asked = random.Random(seed)
        spent = {"all": 0, preset: 0}
        equal = 0
        for _ in range(20):
            right = asked.uniform(0.6, 0.98)
            drawn = [
                (asked.randint(20, 60), "42" if asked.random() < right else str(asked.randint(43, 49)))
                for _ in range(40)
            ]
            by_way = {
                "all": simulate("self-consistency", samples(*drawn), params={"n": 40, "stop": "all"}),
                preset: simulate("self-consistency", samples(*drawn), params={"preset": preset}),
            }
            for way, simulation in by_way.items():
                spent[way] += measure(simulation.records).total_tokens
            equal += answer(by_way["all"]).text == answer(by_way[preset]).text
        assert spent[preset] <= 0.7 * spent["all"], (seed, spent)
        assert equal == 20, seed
