"""Plan: one structured plan in place of trained tags, for models that know none. A true DAG, not a barrier."""

from collections.abc import Generator, Mapping
from typing import Annotated, Any

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding, Structure
from anabranch.dag.errors import NoAnswer
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.job import Problem
from anabranch.dag.plans import BadPlan, Plan, Subtask, plan_schema, planning, read_plan, tokens_for
from anabranch.dag.policy import Param, policy
from anabranch.dag.protocols.escape import escape
from anabranch.dag.text import Base, Message, Output, say

REPAIR = "This plan cannot be carried out: {problem}. Write the whole plan again, without this fault."
IN_PARTS = say("assistant", "I will work this out in parts.")
SUBTASK = "Only this part now: {question}"
CONCLUDE = "{synthesis}\nNow give the final answer to the whole question."
RESULT_LIMIT = 4000
"""Characters of one result that others read: a long one is cut in the middle, and the cut is marked."""


@policy(
    title="Plan",
    paper="Anabranch's own front end; plans with dependencies as in MedVerse, validated at plan time",
    use_when="The model knows no tags: any instruct model, also a very small one. The default.\n"
    "Parts start as soon as their own inputs are there; a question without parts is answered directly.",
)
def plan(
    problem: Problem,
    *,
    width: Annotated[int, Param("subtasks a plan may have", ge=2, le=16)] = 4,
    depth: Annotated[int, Param("subtasks that may wait one behind the other", ge=1, le=16)] = 4,
) -> a.Policy:
    """A planner writes a plan under a JSON Schema; its subtasks run as a DAG; a merge child reads all and answers.

    T is the plan, the heaviest chain of subtasks, and the synthesis. A plan that cannot be carried out is repaired
    once, then the trunk answers directly; so it does when the plan says so, is rejected, or may not fork. A dependent
    of a failed subtask starts all the same and reads why it failed. If there is no synthesis, the trunk writes it.
    """
    wanted = yield from _planned(problem, width, depth)
    agreed = yield from _agreed(wanted, width, depth)
    parts = yield from _forked(agreed)
    useful: list[a.Result] = []
    if parts:
        ask = say("user", CONCLUDE.format(synthesis=escape(agreed.synthesis)))
        conclusion = (IN_PARTS, _known(agreed, parts), ask)
        child = a.Thought(base=Base.PROBLEM, messages=conclusion, role="synthesis", label=agreed.synthesis)
        merged: a.Forked = yield a.Merge(merged=tuple(parts.values()), child=child)
        joined: a.Joined = yield a.Join(targets=(*parts.values(), *merged.branches))
        useful = [each for each in joined.results if each.ok and each.value.strip()]
        if useful and useful[-1].branch in merged.branches:
            return a.Answer(text=useful[-1].value.strip(), sources=tuple(each.branch for each in useful))
        yield a.Splice(messages=conclusion)
    segment: a.Segment = yield a.Think()
    text = segment.text.strip() or "\n\n".join(each.value.strip() for each in useful)
    if not text:
        raise NoAnswer("no subtask gave a result, and the model wrote nothing")
    return a.Answer(text=text, sources=(TRUNK, *(each.branch for each in useful)))


def _planned(problem: Problem, width: int, depth: int) -> Generator[a.Action, Any, Plan]:
    """The planner's plan; a second one if the first is bad; an empty one if that is bad too, or there is none."""
    decoding = Decoding(structure=Structure(json_schema=plan_schema(width)), max_tokens=tokens_for(width))
    messages = (*planning(width), *problem.messages)
    for _ in range(2):
        planner = a.Thought(messages=messages, decoding=decoding, role="planner", returns=a.aside)
        forked: a.Forked = yield a.Fork(children=(planner,))
        joined: a.Joined = yield a.Join(targets=forked.branches)
        for result in joined.results:
            if not result.ok:
                return Plan()
            try:
                return read_plan(result.value, width=width, depth=depth)
            except BadPlan as bad:
                yield _bad_plan(bad, result.value)
                repair = say("user", REPAIR.format(problem=bad))
                messages = (*messages, say("assistant", Output(branch=result.branch)), repair)
    return Plan()


def _agreed(plan: Plan, width: int, depth: int) -> Generator[a.Action, Any, Plan]:
    """The plan as a person lets it pass, where the job's owner wants that. An edit that is bad is asked for again."""
    while True:
        decision: a.Decision = yield a.Approve(gate="plan", subject=plan.as_json())
        if decision.decision == "reject":
            return Plan()
        try:
            return read_plan(decision.subject, width=width, depth=depth)
        except BadPlan as bad:
            yield _bad_plan(bad, decision.subject)


def _bad_plan(bad: BadPlan, text: str) -> a.Malformed:
    return a.Malformed(problem="bad-plan", span=f"{bad}: {text[:400]}")


def _forked(plan: Plan) -> Generator[a.Action, Any, dict[str, BranchId]]:
    """Fork all subtasks at once, each behind those it needs: they must have their names first."""
    parts: dict[str, BranchId] = {}
    for wave in plan.waves():
        children = tuple(_part(plan, task, parts) for task in wave)
        forked: a.Forked = yield a.Fork(children=children)
        accepted = zip(wave, forked.ids, strict=False)  # a person may have taken some out
        parts |= {task.id: branch for task, branch in accepted if branch is not None}
    return parts


def _part(plan: Plan, task: Subtask, parts: Mapping[str, BranchId]) -> a.Thought:
    inputs = {name: parts[name] for name in task.after if name in parts}
    known = (_known(plan, inputs),) if inputs else ()
    messages = (IN_PARTS, *known, say("user", SUBTASK.format(question=escape(task.question))))
    after = tuple(inputs.values())
    return a.Thought(base=Base.PROBLEM, messages=messages, role="subtask", label=task.question, after=after)


def _known(plan: Plan, parts: Mapping[str, BranchId]) -> Message:
    """What these subtasks found, by reference."""
    found = (
        (f"\n\n{escape(task.question)}\n", Output(branch=parts[task.id], limit=RESULT_LIMIT))
        for task in plan.subtasks
        if task.id in parts
    )
    return say("user", "Known so far:", *(part for pair in found for part in pair))
