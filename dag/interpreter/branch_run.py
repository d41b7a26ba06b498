"""One branch at work: its generator and what it waits for. Leaves are generators too, so there is one way to run."""

from collections import deque
from dataclasses import dataclass, field

from anabranch.dag.actions import Action, Answer, Policy, Segment, Think, Thought, ToolCall
from anabranch.dag.commands import Command
from anabranch.dag.decoding import Finish
from anabranch.dag.events import SegmentStarted
from anabranch.dag.ids import BranchId
from anabranch.dag.text import Message


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
    branch: BranchId
    generator: Policy
    waiting: Waiting | None = None
    inbox: deque[Segment] = field(default_factory=deque)
    """Segments of an open stream that were finished before the policy asked for them."""
    inserted: str = ""
    messages: tuple[Message, ...] = ()
    removed: int = 0
    reads: tuple[BranchId, ...] = ()
    opened: SegmentStarted | None = None
    """How the running or last decode began."""
    room: int | None = 0
    """Tokens that decode may still write. None: no limit but the model's context."""
    started: bool = False
    """A child that has begun holds one of its parent's places."""
    denied: int = 0
    """Empty segments given because the budget is spent."""
    partial: str = ""
    partial_tokens: int = 0
    """Text of segments that were interrupted and are being continued."""
    delay: float = 0.0
    excused: int = 0
    """Tries that failed with a time to wait until; they are not counted against the limit."""
    waited: float = 0.0
    """Seconds that those tries cost."""
    posts_seen: int = 0
    places: int | None = None
    """With Fork(capacity, overflow="queue"): how many children may work at once."""
    working: int = 0
    in_line: deque["Routine"] = field(default_factory=deque)
    """Children that wait for a place."""


def think_once(thought: Thought) -> Policy:
    """The routine of a leaf: one segment, and what it amounts to."""
    segment: Segment = yield Think(thought.decoding)
    if thought.returns is not None:
        return thought.returns(segment)
    return Answer(text=segment.text, flags=("truncated",) if segment.finish is Finish.LENGTH else ())


def call_tool(call: ToolCall) -> Policy:
    """The routine of a tool branch."""
    segment: Segment = yield call  # type: ignore[misc]  # only the interpreter gives routines this action
    return Answer(text=segment.text)
