"""Implements Multiverse (Yang et al., arXiv 2506.09991): protocols.md section 4, the MapReduce structure, nested."""

from dataclasses import replace
from typing import Annotated

from anabranch.dag.actions import Policy, Splice
from anabranch.dag.decoding import Decoding
from anabranch.dag.job import Problem
from anabranch.dag.policies.few_shot.multiverse import ASSISTED_WIDTH, INSTRUCTION
from anabranch.dag.policies.trained.multiverse import Rules, run_thought
from anabranch.dag.policies.trained.parallel_block import Form, plan_structure
from anabranch.dag.policies.trained.parameters import Overflow, PlanAssist, Reading
from anabranch.dag.policy import Param, WorkerModel, policy
from anabranch.dag.text import say


@policy(
    title="Multiverse",
    paper="Yang et al. 2025, arXiv 2506.09991",
    use_when="Parts of the reasoning need nothing of each other, and may themselves fall into parts.\n"
    "Made for models trained on its blocks; others are helped by an example and a structured plan (the default).",
    raw_thoughts=True,
)
def multiverse(
    problem: Problem,
    *,
    assist: PlanAssist = "plan",
    reading: Reading = "lenient",
    limit: Annotated[int, Param("outlines a plan may have (the paper gives no bound)", ge=2, le=64)] = 16,
    depth: Annotated[
        int, Param("blocks within blocks (the published engine allows 6; its samples have 2)", ge=1, le=8)
    ] = 6,
    overflow: Overflow = "summary",
    worker_model: WorkerModel = None,
) -> Policy:
    """Map (a plan), process (one path per outline, which may plan again), reduce (a conclusion that reads all paths).

    The wrappers are the published engine's, byte for byte: a path begins with a newline, `<Path>`, a newline and `n:`
    behind `</Goal>`, each `</Path>` is followed by a newline, and `<Conclusion>` and a newline stand behind the last.
    T is the trunk's segments plus, for each block, its longest path, by the same rule within. A plan that is malformed,
    plans nothing, plans more than `limit`, or lies deeper than `depth` is recorded and stays text. One outline is
    thought through inline. A path that ends without its tag is closed by the runtime and flagged; one that failed is
    joined as a line that says why. A path's text is spliced as it stands where its marks make whole nested blocks, and
    with all marks escaped where they do not. With `assist` a path begins with its outline.
    """
    decoding = Decoding(grammar=f"multiverse:{reading}", temperature=0.0 if assist == "plan" else None)
    form = Form(header="<Path>\n{n}:", closes="</Path>\n", behind="<Conclusion>\n", repeats=assist == "plan")
    rules = Rules(
        form=form, decoding=decoding, limit=limit, depth=depth, overflow=overflow, worker_model=worker_model
    )
    first = decoding
    if assist == "plan":
        yield Splice(messages=(say("system", INSTRUCTION),))
        structure = plan_structure("<Parallel>\n<Goal>\n", "</Goal>", min(limit, ASSISTED_WIDTH))
        first = replace(decoding, structure=structure)
    return (yield from run_thought(rules, first)).answer()
