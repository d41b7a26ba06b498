"""Skeleton-of-Thought: a router, a skeleton, all points at once, set together without another decode."""

import re
from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind
from tests.dag.policies.conftest import Listen

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Budget
from anabranch.dag.policies.parts.skeleton import read_skeleton

REFUSED = Fault(cause="refused", retryable=False)
SKELETON = "1. Cost of rent\n2. Speed of trains.\n3. Risk\n"
SCRIPT = {
    "0.1": "A",
    "0": SKELETON,
    "0.2": words(30, "cheap."),
    "0.3": words(9, "fast."),
    "0.4": words(20, "low."),
}


def test_points_are_written_at_once_and_set_together_in_skeleton_order(simulate: Simulate) -> None:
    """By hand: router 1, skeleton 11 tokens (a last line break is one), longest point 30."""
    simulation = simulate("skeleton-of-thought", SCRIPT)
    assert answer(simulation).text == "\n".join(
        [
            f"1. Cost of rent: {words(30, 'cheap.')}",
            f"2. Speed of trains: {words(9, 'fast.')}",
            f"3. Risk: {words(20, 'low.')}",
        ]
    )
    assert answer(simulation).sources == ("0", "0.2", "0.3", "0.4")
    metrics = measure(simulation.records)
    assert (metrics.critical_path_tokens, metrics.total_tokens, metrics.waste_tokens) == (42, 71, 0)
    check(simulation)


def test_no_decode_follows_the_join(simulate: Simulate) -> None:
    names = [type(record.event).__name__ for record in simulate("skeleton-of-thought", SCRIPT).records]
    last_join = len(names) - names[::-1].index("BranchesJoined")
    assert "SegmentStarted" not in names[last_join:]


def test_a_point_reads_question_and_whole_skeleton_and_begins_with_its_own_line(simulate: Simulate) -> None:
    seen: dict[str, Any] = {}

    def write(decode: Any) -> str | Fault:
        seen[decode.branch] = decode.context
        return SCRIPT[decode.branch]

    simulate("skeleton-of-thought", write)
    roles = [role for role, _ in seen["0.3"].messages]
    assert roles == ["user", "assistant", "user"]
    assert seen["0.3"].messages[1][1] == SKELETON
    assert "point 2, Speed of trains, and" in seen["0.3"].messages[2][1]
    assert seen["0.3"].continuation == "2. Speed of trains:"
    assert [text for _, text in seen["0.3"].messages if "cheap" in text] == []


@pytest.mark.parametrize("letter", ["B", "C"])
def test_a_question_that_does_not_suit_is_answered_in_one_go(simulate: Simulate, letter: str) -> None:
    simulation = simulate("skeleton-of-thought", {"0.1": letter, "0": words(5, "42")})
    assert answer(simulation).text == words(5, "42")
    assert set(ended(simulation)) == {"0", "0.1"}
    assert measure(simulation.records).critical_path_tokens == 6
    check(simulation)


def test_the_router_can_be_left_out(simulate: Simulate) -> None:
    script = {"0": SKELETON, "0.1": "cheap", "0.2": "fast", "0.3": "low"}
    simulation = simulate("skeleton-of-thought", script, params={"router": "off"})
    assert answer(simulation).text == "1. Cost of rent: cheap\n2. Speed of trains: fast\n3. Risk: low"


def test_a_router_that_fails_does_not_stand_in_the_way(simulate: Simulate) -> None:
    simulation = simulate("skeleton-of-thought", {**SCRIPT, "0.1": REFUSED})
    assert answer(simulation).text.startswith("1. Cost of rent: ")
    check(simulation)


@pytest.mark.parametrize("written", ["It is cheap and fast.", "1. Only one point\n"])
def test_what_is_no_skeleton_is_recorded_and_the_question_answered_directly(
    simulate: Simulate, written: str
) -> None:
    simulation = simulate("skeleton-of-thought", {"0.1": "A", "0": [written, "Cheap."]})
    assert answer(simulation).text == "Cheap."
    [malformed] = of_kind(simulation, e.ActionMalformed)
    assert (malformed.problem, malformed.span) == ("no-skeleton", written)
    check(simulation)


def test_a_failed_point_stands_as_its_bare_skeleton(simulate: Simulate) -> None:
    simulation = simulate("skeleton-of-thought", {**SCRIPT, "0.3": REFUSED})
    assert answer(simulation).text.splitlines()[1] == "2. Speed of trains"
    assert answer(simulation).sources == ("0", "0.2", "0.4")
    check(simulation)


def test_a_budget_of_branches_cuts_points_not_the_answer(simulate: Simulate) -> None:
    simulation = simulate("skeleton-of-thought", SCRIPT, budget=Budget(branches=3))
    assert answer(simulation).text.splitlines()[2] == "3. Risk"
    check(simulation)


def test_when_the_tokens_are_spent_the_skeleton_is_the_answer(simulate: Simulate) -> None:
    simulation = simulate("skeleton-of-thought", SCRIPT, budget=Budget(tokens=11))
    assert answer(simulation).text == "1. Cost of rent\n2. Speed of trains\n3. Risk"
    check(simulation)


def test_nothing_written_is_no_answer(simulate: Simulate) -> None:
    simulation = simulate("skeleton-of-thought", {"0.1": "C", "0": ""})
    assert of_kind(simulation, e.JobFailed)[0].type == "no-answer"


def test_the_form_of_a_skeleton_ends_by_itself(simulate: Simulate) -> None:
    asked = []

    def write(decode: Any) -> str | Fault:
        asked.append(decode.decoding.structure)
        return SCRIPT[decode.branch]

    simulate("skeleton-of-thought", write, params={"points": 4})
    pattern = re.compile(asked[1].regex)
    assert pattern.fullmatch("1. Cost of rent\n2. Speed\n3. Risk\n")
    assert pattern.fullmatch("1. One\n2. Two\n3. Three\n4. Four\n")
    assert not pattern.fullmatch("1. One\n2. Two\n3. Three\n4. Four\n5. Five\n")
    assert not pattern.fullmatch("1. One\n2. Two\n")
    assert not pattern.fullmatch("1. One point of too many words\n2. Two\n3. Three\n")
    assert not pattern.fullmatch(f"1. {'x' * 21}\n2. Two\n3. Three\n")


def test_router_skeleton_and_points_may_be_asked_for_in_ones_own_words(listen: Listen) -> None:
    params = {
        "router_prompt": "Points {or} not?",
        "skeleton_prompt": "{points} headings for {question} {x}",
        "point_prompt": "Now {number}: {point} {} {0}",
        "points": 4,
    }
    heard = listen("skeleton-of-thought", SCRIPT, params=params, question="Why {point}?")
    asked = {branch: heard.of(branch)[0].context.messages[-1][1] for branch in ("0.1", "0", "0.3")}
    assert asked == {
        "0.1": "Why {point}?\n\nPoints {or} not?",
        "0": "Why {point}?\n\n4 headings for Why {point}? {x}",
        "0.3": "Now 2: Speed of trains {} {0}",
    }
    check(heard.simulation)


def test_a_point_of_a_skeleton_may_be_longer(listen: Listen) -> None:
    heard = listen("skeleton-of-thought", SCRIPT, params={"point_words": 7})
    structure = heard.of("0")[0].decoding.structure
    assert structure and structure.regex
    assert re.fullmatch(structure.regex, "1. one two three four five six seven\n2. a\n3. b\n")
    assert not re.fullmatch(structure.regex, "1. one two three four five six seven eight\n2. a\n3. b\n")


def test_the_published_form_asks_no_router(simulate: Simulate) -> None:
    script = {"0": SKELETON, "0.1": "cheap", "0.2": "fast", "0.3": "low"}
    simulation = simulate("skeleton-of-thought", script, params={"preset": "published"})
    assert answer(simulation).text == "1. Cost of rent: cheap\n2. Speed of trains: fast\n3. Risk: low"
    check(simulation)


def test_a_skeleton_of_a_million_blanks_is_read_at_once() -> None:
    assert read_skeleton("\n" * 10**6 + "1. a" + " " * 10**6 + ":\n", 10) == ["a"]
