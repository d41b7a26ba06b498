"""Runs one simulated job: its real policy and interpreter, the cluster's clock, and the outputs of a stand-in model."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.analysis.graph import ReasoningGraph
from anabranch.dag.answers.equality import groups
from anabranch.dag.deadlines import WIND_UP, BranchDeadlines
from anabranch.dag.decoding import Decoded, Fault, Finish, Timing
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.interpreter import Interpreter, Step
from anabranch.dag.job import JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.simulation.engines.replica import At
from anabranch.dag.simulation.engines.streams import Stages
from anabranch.dag.simulation.models.outputs import ENGINE, Write
from anabranch.dag.vocabulary import Cause

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
BEGAN = EPOCH.timestamp()

Tool = Callable[[c.RunTool], str | Fault]


def no_tools(_call: c.RunTool) -> Fault:
    """What a call gives where no tools are registered."""
    return Fault(cause=Cause.UNKNOWN_TOOL, detail="this simulation has no tools", retryable=False)


@dataclass(slots=True, kw_only=True)
class JobRun:
    """Feeds facts to the interpreter and carries its commands out."""

    number: int
    spec: JobSpec
    write: Write
    limits: Limits
    arrived: float
    at: At
    decode: Callable[["JobRun", c.Decode, float], None]
    """Starts a decode on the cluster; its segments are told to `finished`."""
    abort: Callable[["JobRun", c.Abort, float], None]
    ended: Callable[["JobRun", float], None]
    stepped: Callable[["JobRun", float], None]
    """Told when a step was taken: decodes may wait for room now, or no longer."""
    ask_room: Callable[["JobRun", c.AskRoom], e.RoomTold]
    tool: Tool = no_tools
    interpreter: Interpreter = field(default_factory=Interpreter)
    graph: ReasoningGraph = field(default_factory=ReasoningGraph)
    claimed: float = 0.0
    waited: float = 0.0
    """Seconds that its decodes waited for a place."""
    _seq: int = 0
    _joins: dict[tuple[BranchId, int], float] = field(default_factory=dict)
    """When each join was requested."""
    _branch_deadlines: BranchDeadlines = field(init=False)

    def __post_init__(self) -> None:
        self._branch_deadlines = BranchDeadlines(self.spec.budget.branch_seconds)

    def claim(self, now: float) -> None:
        """An organizer takes the job up."""
        self.claimed = now
        submitted = e.JobSubmitted(spec=self.spec, policy_version="", limits=self.limits)
        self._take(self.interpreter.feed(submitted), self.arrived)
        self._take(self.interpreter.feed(e.JobClaimed(owner=ENGINE, attempt=1)), now)
        seconds = self.spec.budget.seconds
        if seconds is not None:
            fact = partial(e.WindUpRequested, resource=e.Resource.SECONDS, limit=seconds)
            self._at(now + seconds * WIND_UP, lambda: self.interpreter.feed(fact(spent=seconds * WIND_UP)))
            over = e.BudgetExceeded(resource=e.Resource.SECONDS, limit=seconds, spent=seconds)
            self._at(now + seconds, lambda: self.interpreter.feed(over))

    def finished(self, fact: e.SegmentFinished, stages: Stages, now: float) -> None:
        """A segment of one of its decodes has ended."""
        if stages.scheduled is not None:
            self.waited += stages.scheduled - stages.submitted
        decoded = replace(fact.decoded, timing=_dated(stages))
        self._take(self.interpreter.feed(replace(fact, decoded=decoded)), now)

    def tell(self, fact: e.Event, now: float) -> None:
        """Something has happened outside."""
        self._take(self.interpreter.feed(fact), now)

    def _at(self, when: float, happen: Callable[[], Step]) -> None:
        self.at(when, lambda now: self._take(happen(), now))

    def _take(self, step: Step, now: float) -> None:
        """Records what has happened, and does what follows from it."""
        over = self.interpreter.over
        for event in step.events:
            self._seq += 1
            if isinstance(event, e.JoinRequested):
                self._joins[event.branch, event.join] = now
            stamp = EPOCH + timedelta(seconds=now)
            record = e.Record(job=_JOB, seq=self._seq, epoch=1, at=stamp, event=event, prev_hash="", hash="")
            self.graph.add(record)
            for due, fact in self._branch_deadlines.begun(record):
                self._at(due - BEGAN, partial(self.interpreter.feed, fact))
        for command in step.commands:
            self._carry_out(command, now)
        if over and step.events:
            self.ended(self, now)
        if self.limits.slowdown:
            self.stepped(self, now)

    def _carry_out(self, command: c.Command, now: float) -> None:
        match command:
            case c.Decode():
                self.decode(self, command, now)
            case c.Abort():
                self.abort(self, command, now)
            case c.Compare():
                same = groups(command.answers, lambda _left, _right: False)  # no algebra here
                self._at(now, lambda: self.interpreter.judged(command.branch, same))
            case c.Expire():
                expire = partial(self.interpreter.expired, command.branch, command.join)
                due = self._joins[command.branch, command.since] + command.seconds
                self._at(max(now, due), expire)
            case c.Verify():
                scores = {branch: _score(value) for branch, value in command.values.items()}
                scored = e.BranchScored(branch=command.branch, scores=scores, by=ENGINE)
                self._at(now, lambda: self.interpreter.feed(scored))
            case c.RunTool():
                self._run_tool(command, now)
            case c.AskRoom():
                self._at(now, lambda: self.interpreter.feed(self.ask_room(self, command)))

    def _run_tool(self, command: c.RunTool, now: float) -> None:
        result = self.tool(command)
        if isinstance(result, Fault):
            decoded = Decoded(text="", finish=Finish.ERROR, fault=result, engine=f"tool:{command.tool}")
        else:
            decoded = Decoded(text=result, finish=Finish.EOS, engine=f"tool:{command.tool}")
        fact = e.SegmentFinished(
            branch=command.branch, segment=command.segment, attempt=command.attempt, decoded=decoded
        )
        self._at(now, lambda: self.interpreter.feed(fact))


_JOB = JobId("simulated")


def _dated(stages: Stages) -> Timing:
    """The stages in Unix seconds, as a journal has them."""

    def date(at: float | None) -> float:
        return 0.0 if at is None else BEGAN + at

    return Timing(
        submitted=date(stages.submitted),
        admitted=date(stages.scheduled),
        scheduled=date(stages.scheduled),
        first_token=date(stages.first_token),
        finished=date(stages.finished),
    )


def _score(value: str) -> float:
    """What a verifier might say, between 0 and 1: the same of the same value."""
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=4).digest()) / 2**32
