"""Runs Multiverse's map, process and reduce, nested: a line of thought whose plans become paths, each a line of
thought of its own (protocols.md section 4).
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

from anabranch.dag.actions import Action, Answer, Malformed, Policy, Splice, SubPolicy, Think
from anabranch.dag.decoding import Decoding
from anabranch.dag.grammars.escape import escape
from anabranch.dag.grammars.multiverse import whole_blocks
from anabranch.dag.grammars.outline import Outline
from anabranch.dag.policies.trained.parallel_block import (
    UNFINISHED,
    Block,
    Form,
    Part,
    Trajectory,
    before_mark,
    read_plan,
    run_plan,
    splice_block,
)
from anabranch.dag.text import Base

PLANS = 32
"""Plans after which a line of thought is asked no more (no bound is published)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds on the trunk and in every path."""

    form: Form
    decoding: Decoding
    limit: int
    depth: int
    overflow: str
    worker_model: str | None = None

    def in_a_path(self) -> "Rules":
        grammar = (self.decoding.grammar or "").replace("multiverse:", "multiverse-path:")
        return replace(self, decoding=replace(self.decoding, grammar=grammar), depth=self.depth - 1)


def run_thought(rules: Rules, first: Decoding) -> Generator[Action, Any, Trajectory]:
    """Think, with blocks, to the end of this line of thought: the trunk's own, or a path's `</Path>`."""
    own = Trajectory((yield Think(first)), "multiverse")
    for _ in range(PLANS):
        while own.last.tag is not None and own.last.tag.kind == "conclusion":
            own.goes_on((yield Think(rules.decoding)))
        tag = own.last.tag
        if tag is None or tag.kind == "path":
            return own
        plan, fault = read_plan(tag, rules.limit)
        fault = fault or ("" if rules.depth else "too-deep")
        if fault:
            yield Malformed(problem=fault, span=own.last.text[-400:])
        if fault == "unclosed":
            return own
        block = None if fault else (yield from run_paths(plan, rules))
        if block is None:
            own.goes_on((yield Think(rules.decoding)))
        else:
            own.goes_on(*(yield from splice_block(rules.form, block, rules.decoding, rules.overflow)))
    yield Malformed(problem="too-many-plans")
    return own


def run_paths(plan: tuple[Outline, ...], rules: Rules) -> Generator[Action, Any, Block | None]:
    """The paths of a plan, side by side; a single one inline."""
    if len(plan) > 1:
        return (yield from run_plan(plan, [path(outline, rules) for outline in plan], escape_unless_whole))
    opening = rules.form.opening(plan[0])
    yield Splice(text=opening)
    inside = rules.in_a_path()
    own = yield from run_thought(inside, inside.decoding)
    part = Part(outline=plan[0], text=_close_path(own).text)
    return Block(parts=(part,), finished=True, sources=tuple(own.sources), there=opening + own.text)


def path(outline: Outline, rules: Rules) -> SubPolicy:
    def run() -> Policy:
        inside = rules.in_a_path()
        return _close_path((yield from run_thought(inside, inside.decoding)))

    opening = (rules.form.opening(outline),)
    return SubPolicy(
        run=run,
        base=Base.PARENT,
        opening=opening,
        role="path",
        label=outline.text,
        model=rules.worker_model,
    )


def _close_path(own: Trajectory) -> Answer:
    """All that a path wrote, its blocks included, before its closing tag."""
    tag = own.last.tag
    if tag is None or tag.kind != "path":
        return Answer(text=own.text, flags=(UNFINISHED,))
    return Answer(text=before_mark(own.text), flags=(UNFINISHED,) if tag.problem else ())


def escape_unless_whole(text: str) -> str:
    return text if whole_blocks(text) else escape(text)
