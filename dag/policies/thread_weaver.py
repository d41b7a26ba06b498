"""ThreadWeaver (Lian et al., arXiv 2512.07843): protocols.md section 2, the client-side state machine."""

from collections.abc import Generator
from dataclasses import replace
from typing import Annotated, Any, Literal

from anabranch.dag.actions import Action, Malformed, Policy, Segment, Splice, Think, Thought
from anabranch.dag.blocks import (
    TRANSITIONS,
    Block,
    Form,
    Part,
    Trajectory,
    carried_out,
    closed,
    plan_structure,
    planned,
    spliced,
)
from anabranch.dag.decoding import Decoding
from anabranch.dag.job import Problem
from anabranch.dag.policy import Param, policy
from anabranch.dag.protocols.outline import Outline
from anabranch.dag.text import Base, say

INSTRUCTION = """\
You think in parallel. First outline the parts of the question that need nothing of each other; each becomes a thread, \
which does its own part only. Behind the threads, answer the whole question.

Example question: What are the greatest common divisor and the least common multiple of 84 and 126?
<Parallel>
<Outlines>
<Outline>1: Factor 84.</Outline>
<Outline>2: Factor 126.</Outline>
</Outlines>
<Thread>
1: Factor 84. 84 = 2^2 * 3 * 7.</Thread><Thread>
2: Factor 126. 126 = 2 * 3^2 * 7.</Thread>
</Parallel>
The answer: The greatest common divisor is 2 * 3 * 7 = 42, the least common multiple 2^2 * 3^2 * 7 = 252."""
ASSISTED_WIDTH = 4
CUE = "The answer:"
"""Behind a block, without which a small model ends its turn there."""


@policy(
    title="ThreadWeaver",
    paper="Lian et al. 2025, arXiv 2512.07843",
    use_when="Parts of the reasoning need nothing of each other, but all that was thought before.\n"
    "Made for models trained on its blocks; others are helped by an example and a structured plan (the default).",
)
def thread_weaver(
    problem: Problem,
    *,
    assist: Annotated[
        Literal["plan", "none"],
        Param("plan: an example, and a structured first plan; none: published bytes only"),
    ] = "plan",
    reading: Annotated[
        Literal["lenient", "strict"], Param("strict: a plan that departs from the trained format stays text")
    ] = "lenient",
    limit: Annotated[int, Param("outlines a plan may have", ge=2, le=64)] = 50,
    closer: Annotated[
        Literal["runtime", "model"],
        Param("who writes </Parallel>: the runtime (paper), the model (released code)"),
    ] = "runtime",
    unfinished: Annotated[
        Literal["close", "abort"],
        Param("a thread without its end is closed by the runtime, or aborts the run"),
    ] = "close",
    overflow: Annotated[
        Literal["summary", "truncate", "refuse"], Param("how threads are said that the context cannot hold")
    ] = "summary",
) -> Policy:
    """Think up to `</Outlines>`, one thread per outline, join in the order of the outlines, think on.

    T is the trunk's segments plus, for each block, its longest thread; wrappers are the runtime's and cost nothing. A
    plan that is malformed, plans nothing, or plans more than `limit` is recorded and stays text: the trunk goes on by
    itself, as it does when no thread may be forked. One outline is thought through by the trunk, byte for byte as its
    thread would be. Tags in a thread (the format has none) are escaped at the join. A thread that failed is joined as a
    line that says why. An aborted run answers with what stood before the block, as the released client does. After 32
    plans the trunk is asked no more. With `assist` a thread begins with its outline, and a cue stands behind the block.
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
    own = Trajectory((yield Think(first)))
    for _ in range(TRANSITIONS):
        if own.last.tag is None:
            return own.answer()
        plan, fault = planned(own.last.tag, limit)
        if fault:
            yield Malformed(problem=fault, span=own.last.text[-400:])
        if fault == "unclosed":
            return own.answer()
        block = None if fault else (yield from _threads(plan, form, thread))
        if block is None:
            own.goes_on((yield Think(trunk)))
        elif unfinished == "abort" and not block.finished:
            yield Malformed(problem="unfinished-thread", span=form.written(block.parts)[-400:])
            return Trajectory(replace(own.last, text=own.text.rpartition("<Parallel>")[0])).answer()
        else:
            own.goes_on(*(yield from spliced(form, block, trunk, overflow)))
    yield Malformed(problem="too-many-plans")
    return own.answer()


def _threads(plan: tuple[Outline, ...], form: Form, thread: Decoding) -> Generator[Action, Any, Block | None]:
    """The threads of a plan, side by side; a single one inline."""
    if len(plan) > 1:
        return (yield from carried_out(plan, [_thread(outline, form, thread) for outline in plan]))
    opening = form.opening(plan[0])
    yield Splice(text=opening)
    segment: Segment = yield Think(thread)
    told = closed(segment)
    part = Part(outline=plan[0], text=told.text)
    finished = not told.flags or segment.winding_down
    return Block(parts=(part,), finished=finished, there=opening + segment.text)


def _thread(outline: Outline, form: Form, thread: Decoding) -> Thought:
    return Thought(
        base=Base.PARENT,
        opening=(form.opening(outline),),
        decoding=thread,
        returns=closed,
        role="thread",
        label=outline.text,
    )
