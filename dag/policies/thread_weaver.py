"""Implements ThreadWeaver (Lian et al., arXiv 2512.07843): protocols.md section 2, the client-side state machine."""

from dataclasses import replace
from typing import Annotated, Literal

from anabranch.dag.actions import Malformed, Policy, Splice, Think
from anabranch.dag.decoding import Decoding
from anabranch.dag.job import Problem
from anabranch.dag.policies.few_shot.thread_weaver import ASSISTED_WIDTH, CUE, INSTRUCTION
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

STATES = 32  # that the released client passes through at most: deciding is one, carrying out a block another


@policy(
    title="ThreadWeaver",
    paper="Lian et al. 2025, arXiv 2512.07843",
    use_when="Parts of the reasoning need nothing of each other, but all that was thought before.\n"
    "Made for models trained on its blocks; others are helped by an example and a structured plan (the default).",
    raw_thoughts=True,
)
def thread_weaver(
    problem: Problem,
    *,
    assist: PlanAssist = "plan",
    reading: Reading = "lenient",
    limit: Annotated[int, Param("outlines a plan may have", ge=2, le=64)] = 50,
    closer: Annotated[
        Literal["runtime", "model"],
        Param("who writes </Parallel>: the runtime (paper), the model (released code)"),
    ] = "runtime",
    unfinished: Annotated[
        Literal["close", "abort"],
        Param("a thread without its end is closed by the runtime, or aborts the run"),
    ] = "close",
    overflow: Overflow = "summary",
    worker_model: WorkerModel = None,
) -> Policy:
    """Think up to `</Outlines>`, one thread per outline, join in the order of the outlines, think on.

    T is the trunk's segments plus, for each block, its longest thread; wrappers are the runtime's and cost nothing. A
    plan that is malformed, plans nothing, or plans more than `limit` is recorded and stays text: the trunk goes on by
    itself, as it does when no thread may be forked. One outline is thought through by the trunk, byte for byte as its
    thread would be. Tags in a thread (the format has none) are escaped at the join. A thread that failed is joined as a
    line that says why. An aborted run ends behind its block, which the runtime closes, as in the released client; whose
    guard it has: 32 states, two a block. With `assist` a thread begins with its outline, and a cue follows the block.
    """
    trunk = Decoding(grammar=f"thread-weaver:{reading}", temperature=0.0 if assist == "plan" else None)
    thread = replace(trunk, grammar=f"thread-weaver-thread:{reading}")
    behind = "\n</Parallel>" if closer == "runtime" else "\n"
    form = Form(header="<Thread>\n{n}:", closes="</Thread>", behind=behind)
    first = trunk
    if assist == "plan":
        form = replace(form, behind=f"{behind}\n{CUE}", repeats=True)
        yield Splice(messages=(say("system", INSTRUCTION),))
        width = min(limit, ASSISTED_WIDTH)
        first = replace(trunk, structure=plan_structure("<Parallel>\n<Outlines>\n", "</Outlines>", width))
    own = Trajectory((yield Think(first)), "thread-weaver")
    states = STATES
    while states > 1:
        if own.last.tag is None:
            return own.answer()
        plan, fault = read_plan(own.last.tag, limit)
        if fault:
            yield Malformed(problem=fault, span=own.last.text[-400:])
        if fault == "unclosed":
            return own.answer()
        block = None if fault else (yield from run_threads(plan, form, thread, worker_model))
        states -= 1 if block is None else 2
        if block is None:
            own.goes_on((yield Think(trunk)))
        elif unfinished == "abort" and not block.finished:
            yield Malformed(problem="unfinished-thread", span=form.written(block.parts)[-400:])
            return own.aborted(block, replace(form, behind="\n</Parallel>").written(block.parts))
        else:
            own.goes_on(*(yield from splice_block(form, block, trunk, overflow)))
    if own.last.tag is not None:
        yield Malformed(problem="too-many-plans")
    return own.answer()
