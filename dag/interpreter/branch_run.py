"""Runs one branch: its generator, and what it waits for. Leaves are generators too, so there is one way to run."""

from dataclasses import dataclass, field

from anabranch.dag.actions import Action, Answer, Policy, Segment, Think, Thought, ToolCall
from anabranch.dag.commands import Command
from anabranch.dag.decoding import Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter.decode_run import DecodeRun
from anabranch.dag.interpreter.places import Places


@dataclass(slots=True, kw_only=True)
class Waiting:
    """Why a routine stands still."""

    action: Action | ToolCall | Answer | None
    """What will be answered; None: it has not started yet (inputs or a place are missing)."""
    command: Command | None = None
    """What was asked of the outside for it; asked again after a crash."""
    missing: set[BranchId] = field(default_factory=set)
    """Branches that must end first."""
    approval: int = 0
    """The gate that must be decided first; 0: none."""


@dataclass(slots=True, kw_only=True)
class Routine:
    """A branch's generator, why it stands still, and what its decodes and its children have come to."""

    branch: BranchId
    generator: Policy
    waiting: Waiting | None = None
    decodes: DecodeRun = field(default_factory=DecodeRun)
    places: Places = field(default_factory=Places)
    awaited_since: dict[BranchId, int] = field(default_factory=dict)
    """Children with the join, by its ordinal, at which it first waited for them with a time limit."""
    posts_seen: int = 0
    """Posts on the board that it has been shown, its own and its elders' included."""


def think_once(thought: Thought) -> Policy:
    """The routine of a leaf: one segment, and what it amounts to."""
    segment: Segment = yield Think(thought.decoding)
    if thought.returns is not None:
        return thought.returns(segment)
    flags = ("truncated",) if segment.finish is Finish.LENGTH else ()
    return Answer(text=segment.text, flags=flags, calls=segment.calls)


def call_tool(call: ToolCall) -> Policy:
    """The routine of a tool branch."""
    segment: Segment = yield call  # type: ignore[misc]  # only the interpreter gives routines this action
    return Answer(text=segment.text)
