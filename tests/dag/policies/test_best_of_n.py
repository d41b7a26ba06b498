"""Best-of-N: every sample scored as soon as it is there; full marks end the search."""

from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, of_kind

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import EdgeKind, build
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.commands import Verify
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Budget
from anabranch.workers.checks.verifiers import verify

REFUSED = Fault(cause="refused", retryable=False)


def samples(*each: tuple[int, str]) -> dict[str, Any]:
    return {f"0.{i}": words(tokens, text) for i, (tokens, text) in enumerate(each, start=1)}


def verified(command: Verify) -> e.BranchScored:
    """As a worker task answers."""
    scores, details = verify(command.verifier, command.values)
    return e.BranchScored(branch=command.branch, scores=scores, by=command.verifier.kind, details=details)


# -- judges ------------------------------------------------------------------------------------------------------------


def test_each_judge_starts_with_its_own_sample_not_with_the_last(simulate: Simulate) -> None:
    """By hand: samples end at 10, 20, 30, judges take one token: the answer is there at 31."""
    script = {**samples((10, "a"), (20, "b"), (30, "c")), "0.4": "3", "0.5": "9", "0.6": "5"}
    simulation = simulate("best-of-n", script, params={"n": 3})
    assert answer(simulation).text == words(20, "b")
    assert answer(simulation).sources == ("0.2",)
    assert [dict(event.scores) for event in of_kind(simulation, e.BranchScored)] == [
        {"0.1": 0.3}, {"0.2": 0.9}, {"0.3": 0.5},
    ]  # fmt: skip
    finished = {record.event.branch: record.at.second for record in simulation.records
                if isinstance(record.event, e.BranchReturned)}  # fmt: skip
    assert finished == {"0.1": 10, "0.4": 11, "0.2": 20, "0.5": 21, "0.3": 30, "0.6": 31, "0": 31}
    edges = {edge[:2] for edge in build(simulation.records).edges() if edge[2] is EdgeKind.DEPENDS}
    assert edges == {("0.1/1", "0.4/1"), ("0.2/1", "0.5/1"), ("0.3/1", "0.6/1")}
    check(simulation)


def test_full_marks_end_the_search_and_the_rest_is_waste(simulate: Simulate) -> None:
    script = {**samples((10, "a"), (20, "b"), (900, "c")), "0.4": "3", "0.5": "10", "0.6": "5"}
    simulation = simulate("best-of-n", script, params={"n": 3})
    assert answer(simulation).text == words(20, "b")
    assert ended(simulation)["0.3"] == ended(simulation)["0.6"] == "BranchCancelled"
    metrics = measure(simulation.records)
    assert (metrics.critical_path_tokens, metrics.waste_tokens) == (21, 10 + 21)
    [pruned] = of_kind(simulation, e.BranchesPruned)
    assert (pruned.pruned, pruned.rule) == (("0.1", "0.3"), "best of n")
    check(simulation)


def test_stop_all_hears_every_judge(simulate: Simulate) -> None:
    script = {**samples((1, "a"), (20, "b")), "0.3": "10", "0.4": "10"}
    simulation = simulate("best-of-n", script, params={"n": 2, "stop": "all"})
    assert len(of_kind(simulation, e.BranchScored)) == 2
    assert answer(simulation).sources == ("0.1",)  # of equals, the one scored first


def test_a_judge_reads_question_and_answer_and_the_jobs_own_prompt(simulate: Simulate) -> None:
    seen: list[str] = []

    def write(decode: Any) -> str:
        seen.append("\n".join(text for _, text in decode.context.messages))
        return "7"

    simulate("best-of-n", write, params={"n": 1, "prompt": "Rate its beauty."})
    assert seen[1] == "What is due?\n\nA proposed answer:\n\n7\n\nRate its beauty."


def test_a_judge_that_gives_no_mark_is_recorded_and_left_out(simulate: Simulate) -> None:
    script = {**samples((1, "a"), (2, "b")), "0.3": "fine!", "0.4": "2"}
    simulation = simulate("best-of-n", script, params={"n": 2})
    [malformed] = of_kind(simulation, e.ActionMalformed)
    assert (malformed.problem, malformed.span) == ("no-mark", "fine!")
    assert answer(simulation).sources == ("0.2",)
    check(simulation)


def test_without_any_mark_the_first_sample_is_the_answer_unverified(simulate: Simulate) -> None:
    script = {**samples((9, "a"), (2, "b")), "0.3": REFUSED, "0.4": REFUSED}
    simulation = simulate("best-of-n", script, params={"n": 2})
    assert answer(simulation).sources == ("0.1",)
    assert of_kind(simulation, e.BranchReturned)[-1].flags == ("unverified",)
    check(simulation)


def test_a_failed_sample_is_not_judged_and_does_not_fail_the_job(simulate: Simulate) -> None:
    script = {"0.1": REFUSED, "0.2": words(9, "b"), "0.4": "4"}
    simulation = simulate("best-of-n", script, params={"n": 2})
    assert answer(simulation).text == words(9, "b")
    assert ended(simulation)["0.3"] == "BranchCancelled"
    assert "0.3" not in {event.branch for event in of_kind(simulation, e.SegmentStarted)}
    check(simulation)


def test_if_all_samples_fail_the_job_says_so(simulate: Simulate) -> None:
    simulation = simulate("best-of-n", {"0.1": REFUSED, "0.2": REFUSED}, params={"n": 2})
    [failed] = of_kind(simulation, e.JobFailed)
    assert failed.detail == "none of 2 samples could be drawn"
    check(simulation)


def test_judges_that_a_budget_refuses_leave_their_samples_unscored(simulate: Simulate) -> None:
    script = {**samples((1, "a"), (2, "b")), "0.3": "1"}
    simulation = simulate("best-of-n", script, params={"n": 2}, budget=Budget(branches=3))
    assert answer(simulation).sources == ("0.1",)
    check(simulation)


def test_when_the_tokens_are_spent_what_was_scored_decides(simulate: Simulate) -> None:
    script = {**samples((10, "a"), (10, "b")), "0.3": "4", "0.4": "8"}
    simulation = simulate("best-of-n", script, params={"n": 2}, budget=Budget(tokens=21), max_tokens=10)
    assert answer(simulation).sources == ("0.1",)
    check(simulation)


# -- verifiers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verifier", "spec", "replies", "best"),
    [
        ("math", {"answer": "1/2"}, (r"\boxed{0.4}", r"\boxed{0.5}"), "0.2"),
        ("rule", {"contains": ["Seine"], "max_words": 3}, ("By the Thames it is", "By the Thames"), "0.2"),
        ("regex", {"pattern": r"\d{4}"}, ("in 19", "in 1954"), "0.2"),
        ("json-schema", {"schema": {"required": ["n"]}}, ("{}", '{"n":1}'), "0.2"),
        (
            "python-tests",
            {"tests": ["assert one() == 1", "assert one() + 1 == 2"], "seconds": 2},
            ("def one(): return 2", "def one(): return 1"),
            "0.2",
        ),
    ],
)
def test_verifiers_decide(
    simulate: Simulate, verifier: str, spec: dict[str, Any], replies: tuple[str, ...], best: str
) -> None:
    script = {f"0.{i}": reply for i, reply in enumerate(replies, start=1)}
    params = {"n": len(replies), "verifier": verifier, "spec": spec}
    simulation = simulate("best-of-n", script, params=params, verify=verified)
    assert answer(simulation).sources == (best,)
    assert {event.by for event in of_kind(simulation, e.BranchScored)} == {verifier}
    check(simulation)


def test_the_first_sample_that_passes_ends_the_search(simulate: Simulate) -> None:
    script = samples((5, "18"), (7, "19"), (900, "19"))
    params = {"n": 3, "verifier": "math", "spec": {"answer": "19"}}
    simulation = simulate("best-of-n", script, params=params, verify=verified)
    assert answer(simulation).sources == ("0.2",)
    assert ended(simulation)["0.3"] == "BranchCancelled"
    assert measure(simulation.records).critical_path_tokens == 7
    first, _ = of_kind(simulation, e.BranchScored)
    assert first.details == {"0.1": "18 is not 19"}
    check(simulation)


def test_an_answer_that_passes_nothing_is_flagged(simulate: Simulate) -> None:
    params = {"n": 2, "verifier": "math", "spec": {"answer": "19"}}
    simulation = simulate("best-of-n", samples((5, "18"), (7, "17")), params=params, verify=verified)
    assert answer(simulation).sources == ("0.1",)
    assert of_kind(simulation, e.BranchReturned)[-1].flags == ("unverified",)


def test_a_single_sample_is_the_answer_whatever_its_mark(simulate: Simulate) -> None:
    simulation = simulate("best-of-n", {"0.1": "42", "0.2": "0"}, params={"n": 1})
    assert (answer(simulation).text, answer(simulation).sources) == ("42", ("0.1",))
    check(simulation)


def test_a_judges_prompt_may_hold_braces(simulate: Simulate) -> None:
    simulation = simulate(
        "best-of-n", {"0.1": "{x}", "0.2": "9"}, params={"n": 1, "prompt": "{0} {} {answer"}
    )
    assert answer(simulation).text == "{x}"


def test_of_equals_the_first_by_position_wins_whoever_was_faster(simulate: Simulate) -> None:
    script = {"0.1": words(30, "slow"), "0.2": words(3, "fast"), "0.3": "8", "0.4": "8"}
    assert answer(simulate("best-of-n", script, params={"n": 2})).text == words(30, "slow")
