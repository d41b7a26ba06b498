"""NPR as its published engine has it: guideline, steps, takeaway, byte for byte."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Draw, Fault
from anabranch.dag.errors import BadParameters
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.policy import catalogue
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say

TRAINED = {"assist": "none"}
GUIDELINE = "<guideline>\n<plan>1: Factor 84.</plan>\n<plan>2: Factor 126.</plan>\n</guideline>"
SCRIPT: dict[str, str | list[str]] = {
    "0": [GUIDELINE, "Both are factored.\n</takeaway>\nSo \\boxed{42}"],
    "0.1": " 84 = 2^2 * 3 * 7.\n</step>",
    "0.2": " 126 = 2 * 3^2 * 7.\n</step>",
}
JOINED = "\n<step>\n1: 84 = 2^2 * 3 * 7.\n</step>\n<step>\n2: 126 = 2 * 3^2 * 7.\n</step>\n<takeaway>\n"


def problems(simulation: Simulation) -> list[str]:
    return [event.problem for event in of_kind(simulation, e.ActionMalformed)]


def test_the_published_bytes(listen: Listen) -> None:
    heard = listen("npr", SCRIPT, params=TRAINED)
    assert heard.continued("0.1") == [GUIDELINE + "\n<step>\n1:"]
    assert heard.continued("0.2") == [GUIDELINE + "\n<step>\n2:"]
    assert heard.continued("0") == ["", GUIDELINE + JOINED]
    assert answer(heard.simulation).text == "So \\boxed{42}"
    assert answer(heard.simulation).sources == ("0", "0.1", "0.2")
    assert {decode.context.messages for decode in heard.decodes} == {(("user", "What is due?"),)}
    assert all(decode.decoding.raw_thoughts for decode in heard.decodes)
    check(heard.simulation)


def test_steps_have_a_repetition_penalty_and_the_trunk_has_none(listen: Listen) -> None:
    heard = listen("npr", SCRIPT, params=TRAINED)
    draws = {decode.branch: decode.decoding.draw.repetition_penalty for decode in heard.decodes}
    assert draws == {"0": None, "0.1": 1.02, "0.2": 1.02}


def test_the_jobs_own_penalty_holds_over_the_protocols() -> None:
    heard: dict[str, float | None] = {}

    def write(decode):  # type: ignore[no-untyped-def]
        heard[decode.branch] = decode.decoding.draw.repetition_penalty
        said = SCRIPT[decode.branch]
        return said[decode.segment - 1] if isinstance(said, list) else said

    sampling = Sampling(draw=Draw(repetition_penalty=1.3, top_k=9), max_tokens=100)
    spec = JobSpec(messages=(say("user", "?"),), policy="npr", params=TRAINED, sampling=sampling)
    Simulation(spec, write).run()
    assert heard == {"0": 1.3, "0.1": 1.3, "0.2": 1.3}


@pytest.mark.parametrize(
    ("guideline", "problem"),
    [
        ("<guideline>no plans</guideline>", "no-outline"),
        ("<guideline>" + "".join(f"<plan>{n}: a</plan>" for n in range(1, 7)) + "</guideline>", "too-many"),
        ("<guideline><plan>1: a</plan>", "unclosed"),
    ],
)
def test_a_bad_guideline_ends_the_trajectory(simulate: Simulate, guideline: str, problem: str) -> None:
    simulation = simulate("npr", {"0": f"It may be 7. {guideline}"}, params=TRAINED)
    assert problems(simulation) == [problem]
    assert answer(simulation).text
    check(simulation)


def test_a_takeaway_may_lead_to_the_next_guideline(simulate: Simulate) -> None:
    """T: the trunk's 7 + 10 + 5 tokens and the longest step of each block."""
    again = "more</takeaway> " + GUIDELINE
    script = {"0": [GUIDELINE, again, words(5)], **{f"0.{i}": words(10 * i, "</step>") for i in range(1, 5)}}
    simulation = simulate("npr", script, params=TRAINED)
    trunk = sum(
        event.decoded.usage.completion_tokens
        for event in of_kind(simulation, e.SegmentFinished)
        if event.branch == "0"
    )
    assert measure(simulation.records).critical_path_tokens == trunk + 20 + 40
    assert answer(simulation).text == words(5)
    check(simulation)


def test_one_plan_is_carried_out_by_the_trunk_in_the_same_bytes(listen: Listen) -> None:
    guideline = "<guideline><plan>1: all</plan></guideline>"
    script = {"0": [guideline, " it is 42</step>", "so</takeaway> 42"]}
    heard = listen("npr", script, params=TRAINED)
    assert heard.continued("0") == [
        "",
        guideline + "\n<step>\n1:",
        guideline + "\n<step>\n1: it is 42</step>\n<takeaway>\n",
    ]
    check(heard.simulation)


def test_a_step_that_writes_marks_or_fails_moves_nothing(listen: Listen) -> None:
    refused = Fault(cause="refused", detail="not here", retryable=False)
    script = {**SCRIPT, "0.1": f" {GUIDELINE}<takeaway></step>", "0.2": refused}
    heard = listen("npr", script, params=TRAINED)
    joined = heard.continued("0")[1].removeprefix(GUIDELINE)
    assert "&lt;guideline>" in joined
    assert joined.count("<takeaway>") == 1
    assert "2: [cut short: refused: not here]</step>\n" in joined
    check(heard.simulation)


def test_other_models_get_an_example_and_a_form(listen: Listen) -> None:
    heard = listen("npr", SCRIPT)
    first = heard.of("0")[0]
    assert first.context.messages[0][0] == "system"
    assert first.decoding.structure is not None
    assert (first.decoding.structure.regex or "").startswith("<guideline>\n<plan>1: ")
    assert heard.continued("0.1") == [GUIDELINE + "\n<step>\n1: Factor 84."]
    check(heard.simulation)


def test_the_strict_reading_takes_no_more_plans_than_the_published_engine() -> None:
    with pytest.raises(BadParameters, match="up to 5 plans"):
        catalogue()["npr"].check({"reading": "strict", "limit": 6})
    catalogue()["npr"].check({"reading": "lenient", "limit": 6})
    catalogue()["npr"].check({"reading": "strict"})
