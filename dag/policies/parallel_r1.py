"""Implements Parallel-R1 (Zheng et al., arXiv 2509.07980): protocols.md sections 9 and 13, the released rollout."""

from dataclasses import replace
from typing import Annotated, Literal

from anabranch.dag.actions import Malformed, Policy, Splice, Think, Thought
from anabranch.dag.decoding import Decoding, Structure
from anabranch.dag.grammars.outline import Outline
from anabranch.dag.job import Problem
from anabranch.dag.policies.few_shot.parallel_r1 import CUE, INSTRUCTION, OPENS
from anabranch.dag.policies.trained.parallel_block import (
    Form,
    Trajectory,
    close_branch,
    run_plan,
    splice_block,
)
from anabranch.dag.policies.trained.parameters import Overflow, Reading
from anabranch.dag.policy import Param, WorkerModel, policy
from anabranch.dag.text import Base, say

FORM = Form(header="<Path>", closes="</Path>", behind="</Parallel>\n<Summary>", before="")
CLOSES = "</Summary>"


@policy(
    title="Parallel-R1",
    paper="Zheng et al. 2025, arXiv 2509.07980",
    use_when="The model itself says where several tries are worth it; they differ by chance alone.\n"
    "Made for the released checkpoints; others get an example, and paths at once (the default).",
    raw_thoughts=True,
)
def parallel_r1(
    problem: Problem,
    *,
    paths: Annotated[int, Param("paths of a block", ge=2, le=64)] = 2,
    blocks: Annotated[int, Param("blocks of a job, at most", ge=1, le=64)] = 8,
    path_tokens: Annotated[int, Param("tokens one path may take", ge=1, le=1_048_576)] = 2048,
    assist: Annotated[
        Literal["open", "none"],
        Param(
            "open: an example, and a block at the very beginning; none: published bytes only", trained="none"
        ),
    ] = "open",
    reading: Reading = "lenient",
    overflow: Overflow = "summary",
    temperature: Annotated[float, Param("of the paths", ge=0.0, le=2.0)] = 1.0,
    worker_model: WorkerModel = None,
) -> Policy:
    """Think up to `<Parallel>`, go on in so many paths, sum them up, think on.

    The wrappers are the released rollout's, byte for byte: a path begins with `<Path>` right behind what was written,
    paths touch, and `</Parallel>`, a newline and `<Summary>` stand behind the last. A path or a summary that ends
    without its mark gets it from the runtime. T is the trunk's segments plus, for each block, its longest path. In a
    path marks are escaped at the join: blocks do not nest. A path that failed is joined as a line that says why.
    """
    trunk = Decoding(grammar=f"parallel-r1:{reading}")
    path = Decoding(grammar=f"parallel-r1-path:{reading}", max_tokens=path_tokens, temperature=temperature)
    summary = replace(trunk, grammar=f"parallel-r1-summary:{reading}")
    thought = Thought(
        base=Base.PARENT,
        opening=("<Path>",),
        decoding=path,
        returns=close_branch,
        role="path",
        model=worker_model,
    )
    plan = tuple(Outline(ident=str(number), text="") for number in range(1, paths + 1))
    first, cue = trunk, ""
    if assist == "open":
        yield Splice(messages=(say("system", INSTRUCTION),))
        first, cue = replace(trunk, structure=Structure(choice=(OPENS,))), CUE
    own = Trajectory((yield Think(first)), "parallel-r1")
    for _ in range(blocks):
        if own.last.tag is None:
            return own.answer()
        if own.last.tag.problem:
            yield Malformed(problem=own.last.tag.problem, span=own.last.text[-400:])
        block = None if own.last.tag.problem else (yield from run_plan(plan, (thought,) * paths))
        if block is not None:
            told, block, spliced = yield from splice_block(FORM, block, summary, overflow)
            own.goes_on(told, block, spliced)
            closes = (CLOSES if told.tag is None else "") + cue
            yield Splice(text=closes)
            own.text, cue = own.text + closes, ""
        own.goes_on((yield Think(trunk)))
    if own.last.tag is not None:
        yield Malformed(problem="too-many-blocks")
    return own.answer()
