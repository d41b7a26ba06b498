"""Dynasor: a chain of thought is probed on its way, and ends once its probes agree."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Decode
from anabranch.dag.decoding import Decoded, Fault, Finish
from anabranch.dag.errors import BadParameters
from anabranch.dag.policies.parts.probing import PROBE, check_probe
from anabranch.dag.policy import catalogue

STRIDES = [words(10)] * 9
"""A chain that goes on and on, in strides of ten tokens."""


def probes(*said: str, chain: str = "0.1") -> dict[str, str]:
    return {f"{chain}.{number}": text for number, text in enumerate(said, start=1)}


def test_a_chain_ends_once_its_probes_agree(simulate: Simulate) -> None:
    """By hand: three strides of ten, each with a probe of one token; the chain would have gone on."""
    script = {"0.1": STRIDES, **probes("41}", "42}", "42.0}")}
    simulation = simulate("dynasor", script, params={"interval": 10, "agree": 2})
    assert answer(simulation).text == "42"
    assert answer(simulation).sources == ("0.1",)
    [why] = of_kind(simulation, e.ReasonGiven)
    assert (why.branch, why.about, why.text) == ("0.1", "stop", "2 probes in a row say '42'")
    assert why.numbers == {"tokens": 30}
    assert measure(simulation.records).critical_path_tokens == 33
    check(simulation)


def test_a_probe_reads_the_chain_and_is_no_part_of_it(listen: Listen) -> None:
    script = {"0.1": ["one two", " three four", " five"], **probes("1}", "2}")}
    heard = listen("dynasor", script, params={"interval": 2, "agree": 2})
    assert heard.continued("0.1.1") == ["one two" + PROBE]
    assert heard.continued("0.1.2") == ["one two three four" + PROBE]
    assert heard.continued("0.1") == ["", "one two", "one two three four"]


@pytest.mark.parametrize(
    "odd",
    ["42} wait, no", "4", "}", "", Fault(cause="refused", retryable=False)],
    ids=["hedges", "cut", "empty", "nothing", "failed"],
)
def test_a_probe_that_says_nothing_sure_agrees_with_nothing(simulate: Simulate, odd: str | Fault) -> None:
    script = {"0.1": STRIDES, **probes("42}", "?", "42}", "42}")}
    script["0.1.2"] = odd  # type: ignore[assignment]
    simulation = simulate("dynasor", script, params={"interval": 10, "agree": 2})
    assert answer(simulation).text == "42"
    assert of_kind(simulation, e.ReasonGiven)[0].numbers == {"tokens": 40}
    check(simulation)


def test_a_chain_that_ends_by_itself_says_its_own_answer(simulate: Simulate) -> None:
    script = {"0.1": [words(10), "so it is \\boxed{7}"], **probes("3}")}
    simulation = simulate("dynasor", script, params={"interval": 10})
    assert answer(simulation).text == "7"
    assert not of_kind(simulation, e.ReasonGiven)
    check(simulation)


def test_a_chain_ends_at_its_tokens(simulate: Simulate) -> None:
    """What it wrote is cut off: only a box in it would be an answer."""
    script = {"0.1": [words(10, "\\boxed{5}"), *STRIDES], **probes("1}", "2}", "3}")}
    simulation = simulate("dynasor", script, params={"interval": 10, "tokens": 35})
    assert answer(simulation).text == "5"
    assert measure(simulation.records).total_tokens == 33 - 1
    check(simulation)


def test_of_several_chains_the_majority_answers_and_the_rest_are_stopped(simulate: Simulate) -> None:
    script = {f"0.{i}": STRIDES for i in (1, 2)}
    script["0.3"] = [words(10)] * 50
    script |= {f"0.{i}.{j}": "8}" for i in (1, 2) for j in range(1, 9)}  # type: ignore[misc]
    script |= {f"0.3.{j}": f"{j}}}" for j in range(1, 50)}  # type: ignore[misc]
    simulation = simulate("dynasor", script, params={"n": 3, "interval": 10})
    assert answer(simulation).text == "8"
    assert answer(simulation).sources == ("0.1", "0.2")
    assert ended(simulation)["0.3"] == "BranchCancelled"
    check(simulation)


@pytest.mark.parametrize("probe", ["", "The answer is ", "So \\boxed{7}", "So \\boxed{\\text{"])
def test_a_probe_that_opens_no_box_could_never_agree(probe: str) -> None:
    with pytest.raises(BadParameters, match="open"):
        check_probe(probe)
    check_probe(PROBE)


def test_a_chain_has_room_for_one_interval() -> None:
    with pytest.raises(BadParameters, match="interval is at most tokens"):
        catalogue()["dynasor"].check({"interval": 65, "tokens": 64})


def test_strides_that_tell_no_tokens_come_to_an_end_too(simulate: Simulate) -> None:
    """An upstream that hides thoughts, and tells no usage: each stride has taken its interval."""

    def hides(decode: Decode) -> Decoded:
        return Decoded(text="", finish=Finish.LENGTH)

    simulation = simulate("dynasor", hides, params={"n": 1, "interval": 10, "tokens": 40, "agree": 2})
    check(simulation)
    assert sum(started.branch == "0.1" for started in of_kind(simulation, e.SegmentStarted)) == 4
