"""Asks for one structured plan in place of trained tags, for models that know none. A true DAG, not a barrier."""

from collections.abc import Generator
from typing import Annotated, Any

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding, Purpose
from anabranch.dag.errors import NoAnswer
from anabranch.dag.grammars.escape import escape
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.graphs.plan import Plan
from anabranch.dag.policies.graphs.planner import (
    CONCLUDE,
    IN_PARTS,
    approve_plan,
    results_message,
    subtask_child,
    write_plan,
)
from anabranch.dag.policy import Param, PlannerModel, WorkerModel, policy
from anabranch.dag.text import Base, say

ANSWER = Decoding(purpose=Purpose.ANSWER)


@policy(
    title="Plan",
    paper="Anabranch's own front end; plans with dependencies as in MedVerse, validated at plan time",
    use_when="The model knows no tags: any instruct model, also a very small one. The default.\n"
    "Parts start as soon as their own inputs are there; a question without parts is answered directly.",
    marks_answer=True,
    may_call=True,
    efforts={
        "none": {"width": 2, "depth": 1},
        "minimal": {"width": 2},
        "low": {"width": 3},
        "high": {"width": 8, "depth": 8},
    },
)
def plan(
    problem: Problem,
    *,
    width: Annotated[int, Param("subtasks a plan may have", ge=2, le=16)] = 4,
    depth: Annotated[int, Param("subtasks that may wait one behind the other", ge=1, le=16)] = 4,
    planner_model: PlannerModel = None,
    worker_model: WorkerModel = None,
) -> a.Policy:
    """A planner writes a plan under a JSON Schema; its subtasks run as a DAG; a merge child reads all and answers.

    T is the plan, the heaviest chain of subtasks, and the synthesis. A plan that cannot be carried out is repaired
    once, then the trunk answers directly; so it does when the plan says so, is rejected, or may not fork. A dependent
    of a failed subtask starts all the same and reads why it failed. If there is no synthesis, the trunk writes it.
    """
    wanted = yield from write_plan(problem, width, depth, planner_model)
    agreed = yield from approve_plan(wanted, width, depth)
    parts = yield from _forked(agreed, worker_model)
    useful: list[a.Result] = []
    if parts:
        ask = say("user", CONCLUDE.format(synthesis=escape(agreed.synthesis)))
        conclusion = (IN_PARTS, results_message(agreed, parts), ask)
        child = a.Thought(
            base=Base.PROBLEM,
            messages=conclusion,
            decoding=ANSWER,
            role="synthesis",
            label=agreed.synthesis,
        )
        merged: a.Forked = yield a.Merge(merged=tuple(parts.values()), child=child)
        joined: a.Joined = yield a.Join(targets=(*parts.values(), *merged.branches))
        useful = [each for each in joined.results if each.ok and (each.value.strip() or each.calls)]
        if useful and (last := useful[-1]).branch in merged.branches:
            sources = tuple(each.branch for each in useful)
            return a.Answer(text=problem.trimmed(last.value), sources=sources, calls=last.calls)
        yield a.Splice(messages=conclusion)
    segment: a.Segment = yield a.Think(ANSWER)
    text = problem.trimmed(segment.text)
    if not problem.structured and not segment.calls:  # results side by side have no form
        text = text or "\n\n".join(each.value.strip() for each in useful)
    if not text and not segment.calls and not segment.stopped:
        raise NoAnswer("no subtask gave a result, and the model wrote nothing")
    sources = (TRUNK, *(each.branch for each in useful))
    return a.Answer(text=text, sources=sources, calls=segment.calls)


def _forked(plan: Plan, model: str | None) -> Generator[a.Action, Any, dict[str, BranchId]]:
    """Fork all subtasks at once, each behind those it needs: they must have their names first."""
    parts: dict[str, BranchId] = {}
    for wave in plan.waves():
        children = tuple(subtask_child(plan, task, parts, model) for task in wave)
        forked: a.Forked = yield a.Fork(children=children)
        accepted = zip(wave, forked.ids, strict=False)  # a person may have taken some out
        parts |= {task.id: branch for task, branch in accepted if branch is not None}
    return parts
