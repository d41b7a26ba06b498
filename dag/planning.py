"""How a plan is come by: a model writes it, once more if it is bad, and a person may have the last word."""

from collections.abc import Generator
from typing import Any

from anabranch.dag import actions as a
from anabranch.dag.decoding import Decoding, Structure
from anabranch.dag.job import Problem
from anabranch.dag.plans import BadPlan, Plan, plan_schema, planning, read_plan, tokens_for
from anabranch.dag.text import Output, say

REPAIR = "This plan cannot be carried out: {problem}. Write the whole plan again, without this fault."


def written_plan(problem: Problem, width: int, depth: int) -> Generator[a.Action, Any, Plan]:
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


def agreed_plan(plan: Plan, width: int, depth: int) -> Generator[a.Action, Any, Plan]:
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
