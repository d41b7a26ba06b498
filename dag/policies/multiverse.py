"""Multiverse (Yang et al., arXiv 2506.09991): protocols.md section 4, the MapReduce structure, nested."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from anabranch.dag.actions import Action, Answer, Malformed, Policy, Splice, SubPolicy, Think
from anabranch.dag.blocks import (
    TRANSITIONS,
    UNFINISHED,
    Block,
    Form,
    Part,
    Trajectory,
    before_mark,
    carried_out,
    plan_structure,
    planned,
    spliced,
)
from anabranch.dag.decoding import Decoding
from anabranch.dag.job import Problem
from anabranch.dag.policy import Param, policy
from anabranch.dag.protocols.escape import escape
from anabranch.dag.protocols.multiverse import whole_blocks
from anabranch.dag.protocols.outline import Outline
from anabranch.dag.text import Base, say

INSTRUCTION = """\
You think in parallel. First outline the parts of the question that need nothing of each other; each becomes a path, \
which does its own part only. Behind the paths, conclude what they found and answer the whole question.

Example question: How many integers below 60 are divisible by 4 or 6? Let's think in parallel.
<Parallel>
<Goal>
<Outline>1: Count the multiples of 4.</Outline>
<Outline>2: Count the multiples of 6.</Outline>
<Outline>3: Count the multiples of 12.</Outline>
</Goal>
<Path>1: Count the multiples of 4. 4 to 56, that is 14.</Path><Path>2: Count the multiples of 6. 6 to 54, that is \
9.</Path><Path>3: Count the multiples of 12. 12 to 48, that is 4.</Path>
<Conclusion>There are 14, 9 and 4 of them.</Conclusion></Parallel>
The answer: 14 + 9 - 4 = 19."""
ASSISTED_WIDTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """What holds on the trunk and in every path."""

    form: Form
    decoding: Decoding
    limit: int
    depth: int
    overflow: str

    def in_a_path(self) -> "_Rules":
        grammar = (self.decoding.grammar or "").replace("multiverse:", "multiverse-path:")
        return replace(self, decoding=replace(self.decoding, grammar=grammar), depth=self.depth - 1)


@policy(
    title="Multiverse",
    paper="Yang et al. 2025, arXiv 2506.09991",
    use_when="Parts of the reasoning need nothing of each other, and may themselves fall into parts.\n"
    "Made for models trained on its blocks; others are helped by an example and a structured plan (the default).",
)
def multiverse(
    problem: Problem,
    *,
    assist: Annotated[
        Literal["plan", "none"],
        Param("plan: an example, and a structured first plan; none: published bytes only"),
    ] = "plan",
    reading: Annotated[
        Literal["lenient", "strict"], Param("strict: a plan that departs from the trained format stays text")
    ] = "lenient",
    limit: Annotated[int, Param("outlines a plan may have (the paper gives no bound)", ge=2, le=64)] = 16,
    depth: Annotated[int, Param("blocks within blocks (the published samples have 2)", ge=1, le=8)] = 2,
    header: Annotated[
        Literal["<Path>n:", "<Path> n"],
        Param("how the runtime begins path n: as the samples have it, or the text"),
    ] = "<Path>n:",
    overflow: Annotated[
        Literal["summary", "truncate", "refuse"], Param("how paths are said that the context cannot hold")
    ] = "summary",
) -> Policy:
    """Map (a plan), process (one path per outline, which may plan again), reduce (a conclusion that reads all paths).

    T is the trunk's segments plus, for each block, its longest path, by the same rule within. A plan that is malformed,
    plans nothing, plans more than `limit`, or lies deeper than `depth` is recorded and stays text. One outline is
    thought through inline. A path that ends without its tag is closed by the runtime and flagged; one that failed is
    joined as a line that says why. A path's text is spliced as it stands where its marks make whole nested blocks, and
    with all marks escaped where they do not. With `assist` a path begins with its outline.
    """
    decoding = Decoding(grammar=f"multiverse:{reading}", temperature=0.0 if assist == "plan" else None)
    form = Form(
        header=header.replace("n", "{n}"),
        closes="</Path>",
        behind="\n<Conclusion>",
        repeats=assist == "plan",
    )
    rules = _Rules(form=form, decoding=decoding, limit=limit, depth=depth, overflow=overflow)
    first = decoding
    if assist == "plan":
        yield Splice(messages=(say("system", INSTRUCTION),))
        structure = plan_structure("<Parallel>\n<Goal>\n", "</Goal>", min(limit, ASSISTED_WIDTH))
        first = replace(decoding, structure=structure)
    return (yield from _thought(rules, first)).answer()


def _thought(rules: _Rules, first: Decoding) -> Generator[Action, Any, Trajectory]:
    """Think, with blocks, to the end of this line of thought: the trunk's own, or a path's `</Path>`."""
    own = Trajectory((yield Think(first)))
    for _ in range(TRANSITIONS):
        while own.last.tag is not None and own.last.tag.kind == "conclusion":
            own.goes_on((yield Think(rules.decoding)))
        tag = own.last.tag
        if tag is None or tag.kind == "path":
            return own
        plan, fault = planned(tag, rules.limit)
        fault = fault or ("" if rules.depth else "too-deep")
        if fault:
            yield Malformed(problem=fault, span=own.last.text[-400:])
        if fault == "unclosed":
            return own
        block = None if fault else (yield from _paths(plan, rules))
        if block is None:
            own.goes_on((yield Think(rules.decoding)))
        else:
            own.goes_on(*(yield from spliced(rules.form, block, rules.decoding, rules.overflow)))
    yield Malformed(problem="too-many-plans")
    return own


def _paths(plan: tuple[Outline, ...], rules: _Rules) -> Generator[Action, Any, Block | None]:
    """The paths of a plan, side by side; a single one inline."""
    if len(plan) > 1:
        return (yield from carried_out(plan, [_path(outline, rules) for outline in plan], _as_it_stands))
    opening = rules.form.opening(plan[0])
    yield Splice(text=opening)
    inside = rules.in_a_path()
    own = yield from _thought(inside, inside.decoding)
    part = Part(outline=plan[0], text=_closed(own).text)
    return Block(parts=(part,), finished=True, sources=tuple(own.sources), there=opening + own.text)


def _path(outline: Outline, rules: _Rules) -> SubPolicy:
    def run() -> Policy:
        inside = rules.in_a_path()
        return _closed((yield from _thought(inside, inside.decoding)))

    opening = (rules.form.opening(outline),)
    return SubPolicy(run=run, base=Base.PARENT, opening=opening, role="path", label=outline.text)


def _closed(own: Trajectory) -> Answer:
    """All that a path wrote, its blocks included, before its closing tag."""
    tag = own.last.tag
    if tag is None or tag.kind != "path":
        return Answer(text=own.text, flags=(UNFINISHED,))
    return Answer(text=before_mark(own.text), flags=(UNFINISHED,) if tag.problem else ())


def _as_it_stands(text: str) -> str:
    return text if whole_blocks(text) else escape(text)
