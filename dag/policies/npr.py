"""Implements NPR, the Native Parallel Reasoner (Wu et al., arXiv 2512.07461): protocols.md sections 9 and 13."""

from dataclasses import replace
from typing import Annotated

from anabranch.dag.actions import Malformed, Policy, Splice, Think
from anabranch.dag.decoding import Decoding, Draw
from anabranch.dag.errors import BadParameters
from anabranch.dag.grammars.npr import MOST, PLAN
from anabranch.dag.job import Problem
from anabranch.dag.policies.few_shot.npr import ASSISTED_WIDTH, INSTRUCTION
from anabranch.dag.policies.trained.parallel_block import (
    Form,
    Trajectory,
    plan_structure,
    read_plan,
    splice_block,
)
from anabranch.dag.policies.trained.parameters import Overflow, PlanAssist, Reading
from anabranch.dag.policies.trained.thread_weaver import run_threads
from anabranch.dag.policy import Param, WorkerModel, policy
from anabranch.dag.text import say

BLOCKS = 32
"""After which a trajectory is asked no more (no bound is published)."""
PENALTY = 1.02


@policy(
    title="NPR",
    paper="Wu et al. 2025, arXiv 2512.07461",
    use_when="All reasoning is in blocks: plans, steps side by side, what to take away from them.\n"
    "Made for the released checkpoints; others are helped by an example and a structured plan (the default).",
    raw_thoughts=True,
)
def npr(
    problem: Problem,
    *,
    assist: PlanAssist = "plan",
    reading: Reading = "lenient",
    limit: Annotated[int, Param("plans a guideline may have (the published engine: 5)", ge=2, le=64)] = MOST,
    penalty: Annotated[
        float, Param("repetition penalty within steps, where the job names none", ge=1.0, le=2.0)
    ] = PENALTY,
    overflow: Overflow = "summary",
    worker_model: WorkerModel = None,
) -> Policy:
    """Plan in a guideline, carry out one step per plan side by side, take away what they found; plan again, or answer.

    The wrappers are the published engine's, byte for byte: a step begins with a newline, `<step>`, a newline and `n:`
    behind `</guideline>`, each `</step>` is followed by a newline, behind the last stand `<takeaway>` and a newline.
    T is the trunk's segments plus, for each block, its longest step. As the engine has it, a guideline that is
    malformed, plans nothing, or more than `limit`, is recorded and ends the trajectory; a single plan is carried out by
    the trunk. Marks in a step are escaped at the join: blocks do not nest. With `assist` a step begins with its plan.
    """
    if reading == "strict" and limit > MOST:
        raise BadParameters(
            f"reading='strict' takes up to {MOST} plans, as the published engine: limit is {limit}"
        )
    trunk = Decoding(grammar=f"npr:{reading}", temperature=0.0 if assist == "plan" else None)
    step = replace(trunk, grammar=f"npr-step:{reading}", draw=Draw(repetition_penalty=penalty))
    form = Form(header="<step>\n{n}:", closes="</step>\n", behind="<takeaway>\n", repeats=assist == "plan")
    first = trunk
    if assist == "plan":
        yield Splice(messages=(say("system", INSTRUCTION),))
        structure = plan_structure("<guideline>\n", "</guideline>", min(limit, ASSISTED_WIDTH), PLAN)
        first = replace(trunk, structure=structure)
    own = Trajectory((yield Think(first)), "npr")
    for _ in range(BLOCKS):
        if own.last.tag is None:
            return own.answer()
        plan, fault = read_plan(own.last.tag, limit, PLAN)
        if fault:
            yield Malformed(problem=fault, span=own.last.text[-400:])
            return own.answer()
        block = yield from run_threads(plan, form, step, worker_model, role="step")
        if block is None:
            own.goes_on((yield Think(trunk)))
        else:
            own.goes_on(*(yield from splice_block(form, block, trunk, overflow)))
    if own.last.tag is not None:
        yield Malformed(problem="too-many-plans")
    return own.answer()
