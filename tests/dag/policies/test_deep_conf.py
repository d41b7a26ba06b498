"""DeepConf: a warm-up sets the threshold, unsure traces are stopped and do not vote, sure ones outvote."""

import random
from collections.abc import Callable, Mapping

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.decoding.confidence import Confidence
from anabranch.dag.errors import BadParameters
from anabranch.dag.policies.parts.traces import threshold
from anabranch.dag.policy import catalogue

Said = tuple[int, str, float]
"""Tokens of a trace, its answer, and how sure it is: as a whole and at its worst."""


def model(script: Mapping[str, Said]) -> Callable[[Decode], Decoded]:
    """What the replica reports: a trace that is less sure than the least ends half-way."""

    def write(decode: Decode) -> Decoded:
        tokens, said, sure = script[decode.branch]
        rule = decode.decoding.confidence
        assert rule is not None
        stopped = rule.least is not None and sure < rule.least
        count = tokens // 2 if stopped else tokens
        return Decoded(
            text=words(count) if stopped else words(count, said),
            finish=Finish.UNSURE if stopped else Finish.EOS,
            usage=Usage(completion_tokens=count),
            confidence=Confidence(mean=sure, lowest=sure, tokens=count),
        )

    return write


def test_unsure_traces_end_early_and_sure_ones_outvote(simulate: Simulate) -> None:
    """By hand: the warm-up takes 30; of 4, 8, 9, 10 three quarters keep 7 (linear: 4 + 3/4 of 4). Behind it two unsure
    traces stop at 20 tokens of 40, and the longest of the rest is awaited: 25."""
    script = {
        "0.1": (10, "5", 10.0), "0.2": (20, "6", 9.0), "0.3": (30, "6", 4.0), "0.4": (10, "5", 8.0),
        "0.5": (40, "6", 3.0), "0.6": (40, "6", 5.0), "0.7": (20, "5", 9.0), "0.8": (25, "6", 8.0),
    }  # fmt: skip
    params = {"n": 8, "warmup": 4, "keep": 0.75}
    simulation = simulate("deep-conf", model(script), params=params)
    assert answer(simulation).text == "5"
    assert answer(simulation).sources == ("0.1", "0.4", "0.7")
    told = of_kind(simulation, e.ReasonGiven)
    assert [(each.about, dict(each.numbers)) for each in told] == [("threshold", {"least": 7.0})]
    last = of_kind(simulation, e.BranchesVoted)[-1]
    assert {each.answer: each.weight for each in last.classes} == {"5": 27.0, "6": 17.0}
    assert [event.pruned for event in of_kind(simulation, e.BranchesPruned)] == [("0.3",), ("0.5",), ("0.6",)]
    metrics = measure(simulation.records)
    assert metrics.critical_path_tokens == 30 + 25
    assert metrics.total_tokens == 70 + 20 + 20 + 45
    check(simulation)


def test_consensus_stops_what_still_runs_and_says_what_that_spared(simulate: Simulate) -> None:
    script = {f"0.{i}": (10, "5", 9.0) for i in range(1, 17)}
    simulation = simulate("deep-conf", model(script))
    assert measure(simulation.records).total_tokens == 40
    [_, stop] = of_kind(simulation, e.ReasonGiven)
    assert stop.text == "the leading answer has 100% of the votes"
    assert stop.numbers == {"sure": 4, "unsure": 0, "stopped": 0, "not_drawn": 12, "spared_tokens": 120.0}
    check(simulation)


def test_it_saves_a_third_of_the_tokens_at_equal_answers(simulate: Simulate) -> None:
    """Five sets of 20 questions whose answers are known, and the same 16 traces of each drawn by self-consistency. As
    in the paper, whoever is wrong is less sure, more often than not; and an unsure trace is a long one."""
    for seed in range(5):
        asked = random.Random(seed)
        spent, equal = {"all": 0, "deep-conf": 0}, 0
        for _ in range(20):
            right = asked.uniform(0.6, 0.9)
            script = dict[str, Said]()
            for number in range(1, 17):
                knows = asked.random() < right
                sure = asked.gauss(9.0 if knows else 6.0, 1.0)
                script[f"0.{number}"] = (
                    round(60 - 4 * sure + asked.uniform(0, 10)),
                    "42" if knows else str(asked.randint(43, 49)),
                    sure,
                )
            whole = {branch: words(tokens, said) for branch, (tokens, said, _) in script.items()}
            by_way = {
                "all": simulate("self-consistency", whole, params={"n": 16, "stop": "all"}),
                "deep-conf": simulate("deep-conf", model(script), params={"n": 16}),
            }
            for way, simulation in by_way.items():
                spent[way] += measure(simulation.records).total_tokens
            equal += answer(by_way["all"]).text == answer(by_way["deep-conf"]).text
        assert spent["deep-conf"] <= 0.7 * spent["all"], (seed, spent)
        assert equal == 20, seed


def test_an_engine_that_tells_nothing_stops_nothing(simulate: Simulate) -> None:
    script = {f"0.{i}": words(10 + i, "56"[i % 2]) for i in range(1, 7)}
    simulation = simulate("deep-conf", script, params={"n": 6, "warmup": 2})
    [told] = of_kind(simulation, e.ReasonGiven)
    assert "tells no likelihoods" in told.text
    last = of_kind(simulation, e.BranchesVoted)[-1]
    assert {each.weight for each in last.classes} == {3.0}
    check(simulation)


def test_unsure_traces_answer_where_no_sure_one_does(simulate: Simulate) -> None:
    script = {"0.1": (9, "so:\nwhat", 9.0), "0.2": (9, "7", 2.0)}
    simulation = simulate("deep-conf", model(script), params={"n": 2, "warmup": 2})
    assert answer(simulation).text == "7"
    check(simulation)


@pytest.mark.parametrize(("keep", "least"), [(1.0, 1.0), (0.9, 1.4), (0.5, 3.0), (0.01, 4.96)])
def test_the_threshold_is_a_percentile(keep: float, least: float) -> None:
    measured = [Confidence(mean=0, lowest=float(each), tokens=1) for each in (5, 3, 1, 4, 2)]
    assert threshold(measured, keep) == least
    assert threshold([], keep) is None


def test_no_more_warm_up_than_there_are() -> None:
    with pytest.raises(BadParameters, match="5 of 3 traces cannot warm up"):
        catalogue()["deep-conf"].check({"n": 3, "warmup": 5})
