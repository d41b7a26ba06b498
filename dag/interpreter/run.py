"""Holds all that an interpreter knows while a job runs. The journal can rebuild every bit of it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.commands import Command
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter.branch_run import Routine
from anabranch.dag.job import JobSpec
from anabranch.dag.state import JobState, apply
from anabranch.dag.status import BranchStatus


@dataclass(slots=True)
class Run:
    state: JobState = field(default_factory=JobState)
    routines: dict[BranchId, Routine] = field(default_factory=dict)
    ready: deque[tuple[Routine, Any]] = field(default_factory=deque)
    """Routines that can go on, each with the outcome (or the exception) it is sent."""
    line: deque[Routine] = field(default_factory=deque)
    """Routines whose decode waits for room."""
    room: int = 1
    """Decodes that may run at once, where slack is heeded: as told with the fact that is being taken, else one."""
    dependents: dict[BranchId, list[Routine]] = field(default_factory=dict)
    """Who starts when this branch has ended."""
    rank: dict[BranchId, int] = field(default_factory=dict)
    """The how-manieth branch to end each one was."""
    streams: set[BranchId] = field(default_factory=set)
    """Branches whose decode goes on behind their last finished segment."""
    stopping: BranchId | None = None
    """The time is up, and this branch is to say how far it came with the answer."""
    ending: e.Event | None = None
    """The job's terminal event, due when the last open segment is closed. No branch lives any more."""
    events: list[e.Event] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    verdicts: Mapping[int, e.BranchesVoted] | None = None
    """In a replay: the votes that the journal tells next, by their places among the events of this step. Which answers
    were equal is a fact then: how they are compared may have changed since."""

    @property
    def spec(self) -> JobSpec:
        assert self.state.spec is not None, "the job was not submitted"
        return self.state.spec

    def settled(self, branch: BranchId) -> bool:
        """Whether a branch has ended and all it wrote is there: the last words of a cancelled one come with the end of
        its segment. A tool's come too late to wait for."""
        state = self.state.branches[branch]
        writing = state.tool is None and (state.open is not None or branch in self.streams)
        return not state.live and not (state.ended is BranchStatus.CANCELLED and writing)

    def emit(self, event: e.Event) -> None:
        """Apply an event and put it among what is to be appended."""
        apply(self.state, event)
        self.events.append(event)
