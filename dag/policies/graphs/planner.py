"""Makes a plan, and words what its parts are asked. A model writes it, once more if it is bad; a person may have the
last word.
"""

from collections.abc import Generator, Mapping
from typing import Any

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding, Structure
from anabranch.dag.grammars.escape import escape
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Problem
from anabranch.dag.policies.graphs.plan import (
    BadPlan,
    Plan,
    Subtask,
    ask_for_plan,
    plan_schema,
    read_plan,
    tokens_for,
)
from anabranch.dag.text import Base, Message, Output, say

REPAIR = "This plan cannot be carried out: {problem}. Write the whole plan again, without this fault."
IN_PARTS = say("assistant", "I will work this out in parts.")
SUBTASK = "Only this part now: {question}"
CONCLUDE = "{synthesis}\nNow give the final answer to the whole question."
RESULT_LIMIT = 4000
"""Characters of one result that others read: a long one is cut in the middle, and the cut is marked."""


def write_plan(
    problem: Problem, width: int, depth: int, model: str | None = None
) -> Generator[a.Action, Any, Plan]:
    """The planner's plan; a second one if the first is bad; an empty one if that is bad too, or there is none."""
    decoding = Decoding(structure=Structure(json_schema=plan_schema(width)), max_tokens=tokens_for(width))
    messages = (*ask_for_plan(width), *problem.messages)
    for _ in range(2):
        planner = a.Thought(
            messages=messages, decoding=decoding, role="planner", returns=a.aside, model=model
        )
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


def approve_plan(plan: Plan, width: int, depth: int) -> Generator[a.Action, Any, Plan]:
    """The plan as a person lets it pass, where the job's owner wants that. An edit that is bad is asked for again."""
    while True:
        decision: a.Decision = yield a.Approve(gate="plan", subject=plan.as_json())
        if decision.decision == a.Choice.REJECT:
            return Plan()
        try:
            return read_plan(decision.subject, width=width, depth=depth)
        except BadPlan as bad:
            yield _bad_plan(bad, decision.subject)


def _bad_plan(bad: BadPlan, text: str) -> a.Malformed:
    return a.Malformed(problem="bad-plan", span=f"{bad}: {text[:400]}")


def subtask_child(
    plan: Plan, task: Subtask, parts: Mapping[str, BranchId], model: str | None = None
) -> a.Thought:
    """The child that works a subtask out, behind those it needs."""
    inputs = {name: parts[name] for name in task.after if name in parts}
    before = (results_message(plan, inputs),) if inputs else ()
    messages = (IN_PARTS, *before, say("user", SUBTASK.format(question=escape(task.question))))
    after = tuple(inputs.values())
    return a.Thought(
        base=Base.PROBLEM, messages=messages, role="subtask", label=task.question, after=after, model=model
    )


def results_message(plan: Plan, parts: Mapping[str, BranchId]) -> Message:
    """What these subtasks found, by reference."""
    found = (
        (f"\n\n{escape(task.question)}\n", Output(branch=parts[task.id], limit=RESULT_LIMIT))
        for task in plan.subtasks
        if task.id in parts
    )
    return say("user", "Known so far:", *(part for pair in found for part in pair))
