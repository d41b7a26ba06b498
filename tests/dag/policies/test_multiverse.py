"""Multiverse as protocols.md section 4 has it: map, process, reduce, and blocks within blocks."""

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Budget

TRAINED = {"assist": "none"}
PLAN = (
    "<Think>Count integers below 60 divisible by 4 or 6. Let's think in parallel.\n"
    "<Parallel><Goal><Outline>1: multiples of 4</Outline><Outline>2: multiples of 6</Outline>"
    "<Outline>3: multiples of 12</Outline></Goal>"
)
REST = "14, 9 and 4 respectively.</Conclusion></Parallel>\n14 + 9 - 4 = 19.</Think>"
PATHS = {
    "0.1": " 4..56, that is 14</Path>",
    "0.2": " 6..54, that is 9</Path>",
    "0.3": " 12..48, that is 4</Path>",
}
JOINED = (
    "\n<Path>\n1: 4..56, that is 14</Path>\n<Path>\n2: 6..54, that is 9</Path>\n<Path>\n3: 12..48, that is 4</Path>"
    "\n<Conclusion>\n"
)
INNER = " split <Parallel><Goal><Outline>1.1: odd</Outline><Outline>1.2: even</Outline></Goal>"
NESTED = {
    "0": [
        "<Parallel><Goal><Outline>1: a</Outline><Outline>2: b</Outline></Goal>",
        "ab</Conclusion></Parallel>\n7",
    ],
    "0.1": [INNER, "both</Conclusion></Parallel> that is it</Path>"],
    "0.1.1": " one</Path>",
    "0.1.2": " two</Path>",
    "0.2": " three</Path>",
}


def problems(simulation: object) -> list[str]:
    return [event.problem for event in of_kind(simulation, e.ActionMalformed)]  # type: ignore[arg-type]


def test_the_papers_transcript_byte_for_byte(listen: Listen) -> None:
    """Section 13: the engine's own bytes around paths and conclusion; the model ends the conclusion and the block."""
    heard = listen("multiverse", {"0": [PLAN, REST], **PATHS}, params=TRAINED)

    assert heard.continued("0.2") == [PLAN + "\n<Path>\n2:"]
    assert heard.continued("0") == ["", PLAN + JOINED]
    assert answer(heard.simulation).text == "14 + 9 - 4 = 19."
    assert answer(heard.simulation).sources == ("0", "0.1", "0.2", "0.3")
    check(heard.simulation)


def test_published_bytes_only_means_no_instruction_and_no_structure(listen: Listen) -> None:
    heard = listen("multiverse", {"0": [PLAN, REST], **PATHS}, params=TRAINED)

    assert {decode.context.messages for decode in heard.decodes} == {(("user", "What is due?"),)}
    assert not any(event.structured for event in of_kind(heard.simulation, e.SegmentStarted))


def test_untrained_models_get_an_example_and_a_form_for_their_first_plan(listen: Listen) -> None:
    heard = listen("multiverse", {"0": [PLAN, REST], **PATHS})

    assert heard.decodes[0].context.messages[0][0] == "system"
    assert heard.continued("0.2") == [PLAN + "\n<Path>\n2: multiples of 6"]
    trunk = [event for event in of_kind(heard.simulation, e.SegmentStarted) if event.branch == "0"]
    assert [event.structured for event in trunk] == [True, False, False]


def test_the_conclusion_is_a_segment_of_its_own(simulate: Simulate) -> None:
    simulation = simulate("multiverse", {"0": [PLAN, REST], **PATHS}, params=TRAINED)
    trunk = [event.decoded for event in of_kind(simulation, e.SegmentFinished) if event.branch == "0"]
    assert [decoded.text for decoded in trunk] == [
        PLAN,
        "14, 9 and 4 respectively.</Conclusion>",
        "</Parallel>\n14 + 9 - 4 = 19.</Think>",
    ]
    assert [decoded.open for decoded in trunk] == [False, True, False]


def test_a_path_may_plan_paths_of_its_own(listen: Listen) -> None:
    """Dotted ids, each nested path seeing all above it; the block within is spliced whole."""
    heard = listen("multiverse", NESTED, params=TRAINED)

    outer = NESTED["0"][0]
    assert heard.continued("0.1.2") == [f"{outer}\n<Path>\n1:{INNER}\n<Path>\n1.2:"]
    inner_block = (
        INNER
        + "\n<Path>\n1.1: one</Path>\n<Path>\n1.2: two</Path>\n<Conclusion>\nboth</Conclusion></Parallel>"
    )
    assert heard.continued("0")[1] == (
        f"{outer}\n<Path>\n1:{inner_block} that is it</Path>\n<Path>\n2: three</Path>\n<Conclusion>\n"
    )
    assert [event.branch for event in of_kind(heard.simulation, e.BranchForked)] == ["0", "0", "0.1", "0.1"]
    assert answer(heard.simulation).text == "7"
    check(heard.simulation)


def test_the_critical_path_goes_through_the_longest_path_by_the_same_rule_within(simulate: Simulate) -> None:
    """10 + max(20 + max(30, 40) + 5, 50) + 7."""
    script = {
        "0": [words(7) + " <Goal><Outline>1: a</Outline><Outline>2: b</Outline></Goal>", words(7)],
        "0.1": [
            words(17) + " <Goal><Outline>1.1: a</Outline><Outline>1.2: b</Outline></Goal>",
            words(5, "x</Path>"),
        ],
        "0.1.1": words(30, "x</Path>"),
        "0.1.2": words(40, "x</Path>"),
        "0.2": words(50, "x</Path>"),
    }
    metrics = measure(simulate("multiverse", script, params=TRAINED).records)
    assert (metrics.critical_path_tokens, metrics.total_tokens) == (82, 162)


def test_below_the_depth_a_plan_is_recorded_and_stays_text(simulate: Simulate) -> None:
    script = {**NESTED, "0.1": [INNER, " alone, then</Path>"]}
    simulation = simulate("multiverse", script, params={**TRAINED, "depth": 1})

    assert problems(simulation) == ["too-deep"]
    assert [event.branch for event in of_kind(simulation, e.ActionMalformed)] == ["0.1"]
    assert "0.1.1" not in ended(simulation)
    check(simulation)


def test_a_path_that_leaves_a_block_open_is_spliced_with_its_marks_escaped(listen: Listen) -> None:
    script = {**NESTED, "0.1": [INNER, " alone, then</Path>"]}
    heard = listen("multiverse", script, params={**TRAINED, "depth": 1})
    assert "1: split &lt;Parallel>&lt;Goal>&lt;Outline>1.1: odd" in heard.continued("0")[1]


@pytest.mark.parametrize("ending", [" half of it", words(30)], ids=["end of turn", "length"])
def test_an_unfinished_path_is_closed_by_the_runtime_and_flagged(listen: Listen, ending: str) -> None:
    heard = listen("multiverse", {"0": [PLAN, REST], **PATHS, "0.2": ending}, params=TRAINED, max_tokens=28)

    [flagged] = [event for event in of_kind(heard.simulation, e.BranchReturned) if event.branch == "0.2"]
    assert flagged.flags == ("closed-by-runtime",)
    assert f"<Path>\n2:{flagged.value}</Path>\n<Path>\n3:" in heard.continued("0")[1]
    check(heard.simulation)


def test_a_failed_path_is_joined_as_a_line_that_says_why(listen: Listen) -> None:
    refused = Fault(cause="refused", detail="not here", retryable=False)
    heard = listen("multiverse", {"0": [PLAN, REST], **PATHS, "0.2": refused}, params=TRAINED)

    assert "<Path>\n2: [cut short: refused: not here]</Path>" in heard.continued("0")[1]
    assert answer(heard.simulation).sources == ("0", "0.1", "0.3")
    check(heard.simulation)


def test_a_path_that_fails_midway_keeps_what_it_had(listen: Listen) -> None:
    refused = Fault(cause="refused", detail="not here", retryable=False)
    heard = listen("multiverse", {**NESTED, "0.1": [INNER, refused]}, params=TRAINED)

    told = heard.continued("0")[1]
    assert "two&lt;/Path>\n&lt;Conclusion>\n [cut short: refused: not here]</Path>\n<Path>\n2: three" in told
    check(heard.simulation)


def test_only_its_own_marks_are_marks_to_the_reader(simulate: Simulate) -> None:
    simulation = simulate(
        "multiverse", {"0": "The type is Vec<Thread>, its answer <ANSWER>."}, params=TRAINED
    )
    assert answer(simulation).text == "The type is Vec<Thread>, its answer <ANSWER>."


@pytest.mark.parametrize(
    ("goal", "problem"),
    [
        ("<Goal>be quick</Goal>", "no-outline"),
        ("<Goal>" + "".join(f"<Outline>{n}: a</Outline>" for n in range(1, 5)) + "</Goal>", "too-many"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_recorded_and_stays_text(
    simulate: Simulate, goal: str, problem: str
) -> None:
    simulation = simulate("multiverse", {"0": [goal, "so 7"]}, params={**TRAINED, "limit": 3})
    assert problems(simulation) == [problem]
    assert answer(simulation).text == "so 7"
    check(simulation)


def test_one_outline_is_thought_through_inline(listen: Listen) -> None:
    one = "<Parallel><Goal><Outline>1: a</Outline></Goal>"
    heard = listen("multiverse", {"0": [one, " so</Path>", "c</Conclusion></Parallel> 7"]}, params=TRAINED)

    assert not of_kind(heard.simulation, e.BranchForked)
    assert heard.continued("0") == [
        "",
        one + "\n<Path>\n1:",
        one + "\n<Path>\n1: so</Path>\n<Conclusion>\n",
    ]
    check(heard.simulation)


def test_an_inline_path_may_plan_within(listen: Listen) -> None:
    one = "<Parallel><Goal><Outline>1: a</Outline></Goal>"
    script = {
        "0": [one, INNER, "both</Conclusion></Parallel> so</Path>", "c</Conclusion></Parallel> 7"],
        "0.1": " one</Path>",
        "0.2": " two</Path>",
    }
    heard = listen("multiverse", script, params=TRAINED)
    assert heard.continued("0.2") == [f"{one}\n<Path>\n1:{INNER}\n<Path>\n1.2:"]
    assert answer(heard.simulation).sources == ("0", "0.1", "0.2")
    check(heard.simulation)


def test_a_join_that_the_context_cannot_hold_is_summarised(listen: Listen) -> None:
    script = {"0": [PLAN, REST], **PATHS, "0.2": " " + words(500, "x</Path>")}
    script |= {"0.4": "fourteen", "0.5": "nine", "0.6": "four"}
    heard = listen("multiverse", script, params=TRAINED, room=2800)

    assert heard.continued("0")[2].endswith(
        "\n<Path>\n1: fourteen</Path>\n<Path>\n2: nine</Path>\n<Path>\n3: four</Path>\n<Conclusion>\n"
    )
    check(heard.simulation)


def test_forks_within_the_budget_of_the_job(simulate: Simulate) -> None:
    script = {**NESTED, "0.1": [INNER, " alone, then</Path>"]}
    simulation = simulate("multiverse", script, params=TRAINED, budget=Budget(depth=1))
    assert [event.reason for event in of_kind(simulation, e.ForkRejected)] == ["budget:depth"]
    assert answer(simulation).text == "7"
    check(simulation)
