"""Runs one branch: its generator, and what it waits for. Leaves are generators too, so there is one way to run."""

from dataclasses import dataclass, field

from anabranch.dag.actions import Action, Answer, Policy, Segment, Think, Thought, ToolCall
from anabranch.dag.commands import Command
from anabranch.dag.decoding import Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter.decode_run import DecodeRun
from anabranch.dag.interpreter.places import Places

NOBODY: frozenset[BranchId] = frozenset()


@dataclass(slots=True, kw_only=True)
class Waiting:
    """Why a routine stands still."""

    action: Action | ToolCall | Answer | None
    """What will be answered; None: it has not started yet (inputs or a place are missing)."""
    command: Command | None = None
    """What was asked of the outside for it; asked again after a crash."""
    missing: set[BranchId] | frozenset[BranchId] = NOBODY
    """Branches that must end first."""
    approval: int = 0
    """The gate that must be decided first; 0: none."""

    def settle(self, branch: BranchId) -> None:
        """This one is missing no more."""
        if isinstance(self.missing, set):
            self.missing.discard(branch)


@dataclass(slots=True, kw_only=True)
class Routine:
    """A branch's generator, why it stands still, and what its decodes and its children have come to."""

    branch: BranchId
    generator: Policy
    waiting: Waiting | None = None
    decodes: DecodeRun = field(default_factory=DecodeRun)
    awaited_since: dict[BranchId, int] = field(default_factory=dict)
    """Children with the join, by its ordinal, at which it first waited for them with a time limit."""
    posts_seen: int = 0
    """Posts on the board that it has been shown, its own and its elders' included."""
    _places: Places | None = None

    @property
    def places(self) -> Places:
        """Those of its children. Most branches are leaves, and have none to keep."""
        if self._places is None:
            self._places = Places()
        return self._places


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
