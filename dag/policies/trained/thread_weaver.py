"""Runs ThreadWeaver's threads: one for each outline, side by side; a single one inline (protocols.md section 2.1)."""

from collections.abc import Generator
from typing import Any

from anabranch.dag.actions import Action, Segment, Splice, Think, Thought
from anabranch.dag.decoding import Decoding
from anabranch.dag.grammars.outline import Outline
from anabranch.dag.policies.trained.parallel_block import Block, Form, Part, close_branch, run_plan
from anabranch.dag.text import Base


def run_threads(
    plan: tuple[Outline, ...], form: Form, thread: Decoding, model: str | None, role: str = "thread"
) -> Generator[Action, Any, Block | None]:
    """The threads of a plan (NPR's steps), side by side; a single one inline."""
    if len(plan) > 1:
        return (yield from run_plan(plan, [_thread(outline, form, thread, model, role) for outline in plan]))
    opening = form.opening(plan[0])
    yield Splice(text=opening)
    segment: Segment = yield Think(thread)
    told = close_branch(segment)
    part = Part(outline=plan[0], text=told.text)
    finished = not told.flags or segment.winding_down
    return Block(parts=(part,), finished=finished, there=opening + segment.text)


def _thread(outline: Outline, form: Form, thread: Decoding, model: str | None, role: str) -> Thought:
    return Thought(
        base=Base.PARENT,
        opening=(form.opening(outline),),
        decoding=thread,
        returns=close_branch,
        role=role,
        model=model,
        label=outline.text,
    )
