"""Holds one branch, as its events have made it: what `state.py` folds a branch's events into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.actions import Result
from anabranch.dag.decoding import Usage
from anabranch.dag.decoding.tools import Call
from anabranch.dag.ids import BranchId
from anabranch.dag.status import BranchStatus, branch_status
from anabranch.dag.text import Message, Reading


@dataclass(frozen=True, slots=True)
class TwoDecodes:
    """A segment that is decoded twice, until the decode that does not count has ended."""

    started: e.SegmentStarted
    left: int | None = None
    """Which of the two has still to end, once the segment has."""


@dataclass(slots=True, kw_only=True)
class BranchState:
    """One branch, as its events have made it."""

    id: BranchId
    reading: Reading | None
    role: str = "trunk"
    label: str = ""
    after: tuple[BranchId, ...] = ()
    model: str | None = None
    policy: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    tool: str | None = None
    turns: tuple[Message, ...] = ()
    """Its closed turns: its own earlier text as assistant messages, and the messages put behind them."""
    own: str = ""
    """What it wrote and what the runtime inserted in the turn that is open, after its opening."""
    thought: str = ""
    """What it thought in that turn before it wrote: its own engine goes on from it, and nobody else reads it."""
    segment: int = 0
    """Segments started so far."""
    open: e.SegmentStarted | None = None
    grammar: str | None = None
    """The last tag grammar that has read what it writes: a reader is told its text without the marks of that."""
    hedged: int = 0
    """The last of its segments that was started once more."""
    copy: int = 0
    """Which decode its open segment is left with, once it is one: 1 where the first of two has failed."""
    attempt: int = 1
    children: int = 0
    refused: str = ""
    """Why its last fork that was refused, or a part of it, was: a `vocabulary.ForkRefusal`."""
    live_children: int = 0
    joins: int = 0
    joining: bool = False
    """Its last join is requested and not satisfied."""
    joined: bool = False
    """Its parent has joined it."""
    usage: Usage = Usage()
    undecided: tuple[int, ...] = ()
    """Approvals that it waits for."""
    cut: bool = False
    """Its last segment ended at a limit of tokens."""
    ended: BranchStatus | None = None
    """How, once it has ended."""
    value: str = ""
    calls: tuple[Call, ...] = ()
    flags: tuple[str, ...] = ()
    cause: str = ""
    failed_by: str = ""
    story: list[str] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.ended is None

    @property
    def cut_before_a_word(self) -> bool:
        """Whether the limit fell into what it thought before it would have written."""
        return self.cut and not self.own.strip()

    @property
    def status(self) -> BranchStatus:
        begun = BranchStatus.OPEN if self.segment or self.children else BranchStatus.QUEUED
        return branch_status(self.ended or begun, len(self.undecided), int(self.open is not None))

    def result(self) -> Result:
        """What a join of this branch gives. Only for a branch that has ended."""
        if self.ended is None:
            raise ValueError(f"branch {self.id} has not ended")
        return Result(
            branch=self.id,
            ended=self.ended,
            value=self.value,
            text=self.own,
            tokens=self.usage.completion_tokens,
            flags=self.flags,
            cause=self.cause,
            failed_by=self.failed_by,
            calls=self.calls,
        )
