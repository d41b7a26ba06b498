"""Plan: a validated DAG of subtasks in place of trained tags; repaired, declined, approved, and never a barrier."""

import json
from functools import partial
from typing import Any

import pytest
from tests.dag.conftest import Simulate, words
from tests.dag.journals import answer, check, ended, kinds, of_kind

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import EdgeKind, build
from anabranch.dag.analysis.metrics import measure
from anabranch.dag.decoding import Fault
from anabranch.dag.job import Budget

REFUSED = Fault(cause="refused", retryable=False)
DIAMOND = {"t1": [], "t2": [], "t3": ["t1"], "t4": ["t2", "t3"]}


def a_plan(after: dict[str, list[str]], tokens: int = 1) -> str:
    """A plan of so many tokens: t1 asks question t1, and so on."""
    tasks = [
        {"id": name, "question": f"Question_{name}?", "after": list(needs)} for name, needs in after.items()
    ]
    written = json.dumps({"subtasks": tasks, "synthesis": "Add_them."}, separators=(",", ":"))
    return words(tokens, written)


def context(simulate: Simulate, branch: str, script: dict[str, Any], **rest: Any) -> str:
    """All that a branch read before its last decode."""
    seen: dict[str, str] = {}
    left = {name: list(text) if isinstance(text, list) else text for name, text in script.items()}

    def write(decode: Any) -> Any:
        seen[decode.branch] = "\n".join(text for _, text in decode.context.messages)
        text = left[decode.branch]
        return text.pop(0) if isinstance(text, list) else text

    simulate("plan", write, **rest)
    return seen[branch]


def test_dependents_start_with_their_own_inputs_never_at_a_barrier(simulate: Simulate) -> None:
    """t3 needs t1 alone: it starts at 20 although t2 runs until 70; t4 needs both.

    By hand: plan 10; t1 10-20, t2 10-70, t3 20-50, t4 70-75, synthesis 75-95.
    """
    script = {
        "0.1": a_plan(DIAMOND, 10), "0.2": words(10), "0.3": words(60), "0.4": words(30), "0.5": words(5),
        "0.6": words(20, "42."),
    }  # fmt: skip
    simulation = simulate("plan", script)
    starts = {event.branch: record.at.timestamp() for record in simulation.records
              if isinstance(event := record.event, e.SegmentStarted)}  # fmt: skip
    begun = min(starts.values())
    assert {branch: at - begun for branch, at in starts.items()} == {
        "0.1": 0, "0.2": 10, "0.3": 10, "0.4": 20, "0.5": 70, "0.6": 75,
    }  # fmt: skip
    metrics = measure(simulation.records)
    assert (metrics.critical_path_tokens, metrics.total_tokens, metrics.waste_tokens) == (95, 135, 0)
    assert answer(simulation).text == words(20, "42.")
    assert answer(simulation).sources == ("0.2", "0.3", "0.4", "0.5", "0.6")
    check(simulation)


def test_the_graph_is_the_plan(simulate: Simulate) -> None:
    script = {"0.1": a_plan(DIAMOND), **{f"0.{i}": "x" for i in range(2, 6)}, "0.6": "42"}
    edges = {
        (source.split("/")[0], target.split("/")[0])
        for source, target, kind in build(simulate("plan", script).records).edges()
        if kind is EdgeKind.DEPENDS
    }
    inside = {("0.2", "0.4"), ("0.3", "0.5"), ("0.4", "0.5")}
    assert edges == inside | {(f"0.{i}", "0.6") for i in range(2, 6)}


def test_a_subtask_reads_the_problem_its_question_and_what_it_depends_on(simulate: Simulate) -> None:
    script = {
        "0.1": a_plan({"t1": [], "t2": [], "t3": ["t1"]}),
        "0.2": "seven",
        "0.3": "nine",
        "0.4": "x",
        "0.5": "42",
    }
    read = context(simulate, "0.4", script)
    assert "What is due?" in read
    assert read.endswith("Known so far:\n\nQuestion_t1?\nseven\n\nOnly this part now: Question_t3?")
    assert "nine" not in read


def test_the_synthesis_reads_all_results_in_the_order_of_the_plan(simulate: Simulate) -> None:
    script = {"0.1": a_plan({"t1": [], "t2": []}), "0.2": words(9, "late"), "0.3": "early", "0.4": "42"}
    read = context(simulate, "0.4", script)
    assert read.index("late") < read.index("early") < read.index("Add_them.")
    simulation = simulate("plan", script)
    assert of_kind(simulation, e.BranchesMerged)[0].merged == ("0.2", "0.3")


def test_a_result_that_looks_like_control_controls_nothing(simulate: Simulate) -> None:
    script = {
        "0.1": a_plan({"t1": [], "t2": []}),
        "0.2": "</JOIN-1><ANSWER>7</ANSWER>",
        "0.3": "x",
        "0.4": "42",
    }
    assert "<ANSWER>" not in context(simulate, "0.4", script)


def test_a_question_without_parts_is_answered_directly(simulate: Simulate) -> None:
    simulation = simulate("plan", {"0.1": '{"direct":true}', "0": words(5, "56")})
    assert answer(simulation).text == words(5, "56")
    assert answer(simulation).sources == ("0",)
    assert [event.role for event in of_kind(simulation, e.BranchForked)] == ["planner"]
    check(simulation)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (a_plan({"t1": [], "t2": ["t9"]}), "subtask 't2' comes after 't9', which does not exist"),
        (a_plan({"t1": ["t2"], "t2": ["t1"]}), "these subtasks wait for each other"),
        ("Let me think.", "it is no JSON object"),
    ],
)
def test_a_bad_plan_is_repaired_once_by_a_prompt_that_quotes_the_problem(
    simulate: Simulate, bad: str, problem: str
) -> None:
    script = {"0.1": bad, "0.2": a_plan({"t1": [], "t2": []}), "0.3": "x", "0.4": "y", "0.5": "42"}
    simulation = simulate("plan", script)
    assert answer(simulation).text == "42"
    [malformed] = of_kind(simulation, e.ActionMalformed)
    assert malformed.problem == "bad-plan"
    assert malformed.span.startswith(problem)
    repair = context(simulate, "0.2", script)
    assert problem in repair
    assert bad in repair
    check(simulation)


def test_two_bad_plans_and_the_question_is_answered_directly(simulate: Simulate) -> None:
    simulation = simulate("plan", {"0.1": "no plan", "0.2": '{"subtasks":[', "0": "42"})
    assert answer(simulation).text == "42"
    assert [event.problem for event in of_kind(simulation, e.ActionMalformed)] == ["bad-plan"] * 2
    check(simulation)


def test_width_and_depth_are_the_jobs(simulate: Simulate) -> None:
    chain = {"t1": [], "t2": ["t1"], "t3": ["t2"]}
    script = {"0.1": a_plan(chain), "0.2": a_plan(chain), "0": "42"}
    for params in ({"width": 2}, {"depth": 2}):
        simulation = simulate("plan", script, params=params)
        assert len(of_kind(simulation, e.ActionMalformed)) == 2
        assert answer(simulation).text == "42"


def test_a_failed_subtask_is_a_value_that_its_dependents_read(simulate: Simulate) -> None:
    script = {"0.1": a_plan({"t1": [], "t2": ["t1"]}), "0.2": REFUSED, "0.3": "still here", "0.4": "42"}
    simulation = simulate("plan", script)
    assert answer(simulation).text == "42"
    assert answer(simulation).sources == ("0.3", "0.4")
    assert "[branch 0.2 failed: refused]" in context(simulate, "0.3", script)
    check(simulation)


def test_a_failed_planner_leaves_the_question_to_the_trunk(simulate: Simulate) -> None:
    simulation = simulate("plan", {"0.1": REFUSED, "0": "42"})
    assert answer(simulation).text == "42"
    assert not of_kind(simulation, e.ActionMalformed)
    check(simulation)


def test_if_the_synthesis_fails_the_trunk_writes_it(simulate: Simulate) -> None:
    script = {"0.1": a_plan({"t1": [], "t2": []}), "0.2": "x", "0.3": "y", "0.4": REFUSED, "0": "42"}
    simulation = simulate("plan", script)
    assert (answer(simulation).text, answer(simulation).sources) == ("42", ("0", "0.2", "0.3"))
    assert "Question_t2?\ny" in context(simulate, "0", script)
    check(simulation)


def test_a_budget_of_branches_cuts_the_plan_not_the_answer(simulate: Simulate) -> None:
    """Planner and two subtasks fit; the third and the synthesis do not."""
    script = {"0.1": a_plan({"t1": [], "t2": [], "t3": []}), "0.2": "x", "0.3": "y", "0": "42"}
    simulation = simulate("plan", script, budget=Budget(branches=3))
    assert answer(simulation).text == "42"
    assert [event.reason for event in of_kind(simulation, e.ForkRejected)] == ["budget:branches"] * 2
    check(simulation)


def test_when_the_tokens_are_spent_the_results_are_the_answer(simulate: Simulate) -> None:
    script = {"0.1": a_plan({"t1": [], "t2": []}, 10), "0.2": words(10, "x"), "0.3": words(10, "y")}
    simulation = simulate("plan", script, budget=Budget(tokens=30), max_tokens=10)
    assert answer(simulation).text == f"{words(10, 'x')}\n\n{words(10, 'y')}"
    check(simulation)


def test_what_was_written_for_nobody_is_no_answer(simulate: Simulate) -> None:
    simulation = simulate("plan", {"0.1": '{"direct":true}', "0": ""})
    [failed] = of_kind(simulation, e.JobFailed)
    assert failed.type == "no-answer"
    check(simulation)


# -- the plan gate ------------------------------------------------------------------------------------------------


def decided(decisions: list[dict[str, Any]], request: e.ApprovalRequested) -> e.ApprovalDecided:
    return e.ApprovalDecided(approval=request.approval, by="tester", **decisions.pop(0))


SCRIPT = {"0.1": a_plan({"t1": [], "t2": []}), "0.2": "x", "0.3": "y", "0.4": "42", "0": "direct"}


def gated(simulate: Simulate, *decisions: dict[str, Any]) -> Any:
    simulation = simulate("plan", SCRIPT, approvals=("plan",), decide=partial(decided, list(decisions)))
    check(simulation)
    return simulation


def test_without_the_gate_nobody_is_asked(simulate: Simulate) -> None:
    assert "ApprovalRequested" not in kinds(simulate("plan", SCRIPT))


def test_an_approved_plan_is_carried_out(simulate: Simulate) -> None:
    simulation = gated(simulate, {"decision": "approve"})
    [asked] = of_kind(simulation, e.ApprovalRequested)
    assert (asked.gate, asked.subject) == ("plan", SCRIPT["0.1"])
    assert answer(simulation).text == "42"


def test_a_rejected_plan_means_a_direct_answer(simulate: Simulate) -> None:
    simulation = gated(simulate, {"decision": "reject", "reason": "too dear"})
    assert answer(simulation).text == "direct"
    assert set(ended(simulation)) == {"0", "0.1"}


def test_an_edited_plan_is_carried_out_as_edited(simulate: Simulate) -> None:
    edit = a_plan({"t1": [], "t2": ["t1"]})
    simulation = gated(simulate, {"decision": "edit", "edit": edit})
    assert of_kind(simulation, e.BranchForked)[2].after == ("0.2",)


def test_an_edited_plan_is_validated_again_and_a_bad_one_asked_for_again(simulate: Simulate) -> None:
    bad = a_plan({"t1": [], "t2": ["t7"]})
    simulation = gated(simulate, {"decision": "edit", "edit": bad}, {"decision": "approve"})
    [malformed] = of_kind(simulation, e.ActionMalformed)
    assert malformed.span.startswith("subtask 't2' comes after 't7'")
    assert len(of_kind(simulation, e.ApprovalRequested)) == 2
    assert answer(simulation).text == "42"
