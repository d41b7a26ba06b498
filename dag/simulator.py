"""Runs a job in virtual time: the real interpreter, a writer in place of a model, a token clock in place of an engine.

Used by tests and by capacity planning: no clock is read, nothing is awaited, so a run is a function of its inputs.
"""

import heapq
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.answers.equality import groups
from anabranch.dag.decoding import Decoded, Decoding, Fault, Finish, Usage
from anabranch.dag.decoding.tools import Call
from anabranch.dag.grammars import grammar_named
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.interpreter import Interpreter, Step
from anabranch.dag.job import JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.policy import policy_named
from anabranch.dag.vocabulary import Cause

Writer = Callable[[c.Decode], str | tuple[Call, ...] | Fault | Decoded]
"""Stands for the model: what this decode would write if nothing stopped it, or what it calls instead. A Decoded is the
decode's one segment as it is, as an engine would report it."""

Tool = Callable[[c.RunTool], str | Fault]
"""Stands for the operator's tools: what this call gives. The same call must give the same, or a run is no function."""
UNREGISTERED = Fault(cause=Cause.UNKNOWN_TOOL, detail="this simulation has no tools", retryable=False)
"""What a call gives where there are none, as in a service whose operator has registered none."""

TOKEN = re.compile(r"\s*\S+|\s+$")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def tokens_of(text: str) -> list[str]:
    """Text in tokens: a word with the white space before it is one."""
    return TOKEN.findall(text)


@dataclass(slots=True)
class _Stream:
    """One decode, or one tool, under way."""

    command: c.Decode | c.RunTool
    segment: int
    written: list[tuple[float, str]]
    """Tokens with the time at which each is done."""
    done: bool = False


@dataclass(slots=True)
class Simulation:
    """Runs one job. `write` is asked for the text of each decode; a token takes `pace` seconds, a tool none."""

    spec: JobSpec
    write: Writer
    limits: Limits = field(default_factory=Limits)
    pace: float = 1.0
    pace_of: Callable[[c.Decode], float] | None = None
    decide: Callable[[e.ApprovalRequested], e.ApprovalDecided] | None = None
    verify: Callable[[c.Verify], e.BranchScored] | None = None
    tool: Tool | None = None
    room: Callable[[int], int] | None = None
    """For how many decodes there is room, where so many of the job run. None: as wide as its limit."""
    cancel_at: float | None = None
    interpreter: Interpreter = field(init=False)
    now: float = 0.0
    records: list[e.Record] = field(default_factory=list)
    _agenda: list[tuple[float, int, Callable[[], Step]]] = field(default_factory=list)
    _streams: dict[tuple[BranchId, int], _Stream] = field(default_factory=dict)
    _ticket: int = 0
    _joins: dict[tuple[BranchId, int], float] = field(default_factory=dict)
    """When each join was requested."""

    def __post_init__(self) -> None:
        self.interpreter = Interpreter()

    def run(self) -> list[e.Record]:
        """The whole journal. Raises RuntimeError when the job stands still for ever."""
        version = policy_named(self.spec.policy).version
        self._record(
            self.interpreter.feed(e.JobSubmitted(spec=self.spec, policy_version=version, limits=self.limits))
        )
        self._record(self.interpreter.feed(e.JobClaimed(owner="simulator", attempt=1)))
        if self.cancel_at is not None:
            cancelled = e.BranchCancelled(reason="cancelled by the client", by=e.CancelledBy.CLIENT)
            self._at(self.cancel_at, lambda: self.interpreter.feed(cancelled))
        while not self.interpreter.over:
            if not self._agenda:
                raise RuntimeError(f"the job stands still: {self.interpreter.state.live}")
            self.now, _, happen = heapq.heappop(self._agenda)
            self._record(happen())
        return self.records

    def _at(self, when: float, happen: Callable[[], Step]) -> None:
        self._ticket += 1
        heapq.heappush(self._agenda, (when, self._ticket, happen))

    def _record(self, step: Step) -> None:
        at = EPOCH + timedelta(seconds=self.now)
        for event in step.events:
            seq = len(self.records) + 1
            record = e.Record(
                job=JobId("simulated"), seq=seq, epoch=1, at=at, event=event, prev_hash="", hash=""
            )
            if isinstance(event, e.JoinRequested):
                self._joins[event.branch, event.join] = self.now
            self.records.append(record)  # unchained: nobody stores it
            if isinstance(event, e.ApprovalRequested) and self.decide is not None:
                self._at(self.now, partial(self.interpreter.feed, self.decide(event)))
        for command in step.commands:
            self._carry_out(command)
        if step.events and (line := self.interpreter.line) is not None:
            told = e.RoomTold(width=self._room(line.running))
            self._at(self.now, lambda: self.interpreter.feed(told))

    def _room(self, running: int) -> int:
        return self.limits.width if self.room is None else self.room(running)

    def _carry_out(self, command: c.Command) -> None:
        match command:
            case c.Decode():
                self._decode(command)
            case c.Abort():
                self._at(self.now, lambda: self._abort(command))
            case c.Compare():
                same = groups(command.answers, lambda _left, _right: False)  # no algebra here
                self._at(self.now, lambda: self.interpreter.judged(command.branch, same))
            case c.Expire():
                due = self._joins[command.branch, command.since] + command.seconds
                self._at(max(self.now, due), lambda: self.interpreter.expired(command.branch, command.join))
            case c.Verify() if self.verify is not None:
                self._at(self.now, partial(self.interpreter.feed, self.verify(command)))
            case c.Verify():
                raise NotImplementedError("the simulator was given no verifier")
            case c.AskRoom():
                answer = e.RoomTold(branch=command.branch, width=self._room(command.running))
                self._at(self.now, lambda: self.interpreter.feed(answer))
            case c.RunTool():
                self._run_tool(command, self.tool(command) if self.tool is not None else UNREGISTERED)

    def _decode(self, command: c.Decode) -> None:
        start = self.now + command.delay
        pace = self.pace_of(command) if self.pace_of is not None else self.pace
        stream = self._streams[command.branch, command.segment] = _Stream(command, command.segment, [])
        match self.write(command):
            case Fault() as fault:
                failed = Decoded(text="", finish=Finish.ERROR, fault=fault, engine="simulator")
                self._finish_at(start, stream, failed)
            case Decoded() as decoded:
                self._finish_at(start + decoded.usage.completion_tokens * pace, stream, decoded)
                stream.written = _clocked(decoded.text, start, pace)
            case str(text):
                for count, decoded in segments_of(command.decoding, text):
                    self._finish_at(start + count * pace, stream, decoded)
                stream.written = _clocked(text, start, pace)
            case calls:
                called = replace(_decoded("", Finish.EOS, len(calls)), calls=calls)
                self._finish_at(start + len(calls) * self.pace, stream, called)

    def _run_tool(self, command: c.RunTool, result: str | Fault) -> None:
        stream = _Stream(command, command.segment, [])
        self._streams[command.branch, command.segment] = stream
        engine = f"tool:{command.tool}"
        if isinstance(result, Fault):
            decoded = Decoded(text="", finish=Finish.ERROR, fault=result, engine=engine)
        else:
            decoded = Decoded(text=result, finish=Finish.EOS, engine=engine)
        self._finish_at(self.now, stream, decoded)

    def _finish_at(self, when: float, stream: _Stream, decoded: Decoded) -> None:
        self._at(when, lambda: self._finish(stream, decoded))

    def _finish(self, stream: _Stream, decoded: Decoded) -> Step:
        if stream.done:
            return Step()
        stream.done = not decoded.open
        while stream.written and stream.written[0][0] <= self.now:
            stream.written.pop(0)
        fact = e.SegmentFinished(
            branch=stream.command.branch,
            segment=stream.segment,
            attempt=stream.command.attempt,
            decoded=decoded,
        )
        stream.segment += 1
        return self.interpreter.feed(fact)

    def _abort(self, command: c.Abort) -> Step:
        stream = self._streams[command.branch, command.segment]
        so_far = [token for time, token in stream.written if time <= self.now]
        return self._finish(stream, _decoded("".join(so_far), Finish.ABORT, len(so_far)))


def _clocked(text: str, start: float, pace: float) -> list[tuple[float, str]]:
    """The text's tokens, each with the time at which it is done."""
    return [(start + i * pace, token) for i, token in enumerate(tokens_of(text), start=1)]


def segments_of(decoding: Decoding, text: str) -> Iterator[tuple[int, Decoded]]:
    """How an engine and its parser would cut this text: each segment with the count of tokens at its end."""
    parser = grammar_named(decoding.grammar).parser() if decoding.grammar else None
    max_tokens = decoding.max_tokens
    whole, base, counted, count = "", 0, 0, 0
    for count, token in enumerate(tokens_of(text), start=1):
        whole += token
        for cut in parser.feed(token) if parser is not None else ():
            part = whole[base : cut.offset]
            yield count, _decoded(part, Finish.TAG, count - counted, tag=cut.tag, open=not cut.stops)
            base, counted = cut.offset, count
            if cut.stops:
                return
        stop = next((stop for stop in decoding.stop if stop in whole[base:]), None)
        if stop is not None:
            end = whole.index(stop, base) + len(stop)
            yield count, _decoded(whole[base:end], Finish.STOP, count - counted)
            return
        if max_tokens is not None and count >= max_tokens:
            break
    left = parser.close() if parser is not None else None
    finish = Finish.LENGTH if max_tokens is not None and count >= max_tokens else Finish.EOS
    yield count, _decoded(whole[base:], finish, count - counted, tag=left)


def _decoded(text: str, finish: Finish, tokens: int, **rest: object) -> Decoded:
    return Decoded(
        text=text,
        finish=finish,
        usage=Usage(completion_tokens=tokens),
        engine="simulator",
        **rest,  # type: ignore[arg-type]
    )
