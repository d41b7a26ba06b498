"""Simulates one replica: continuous batching on one engine, exact to the step at the cost of a few events per decode.

Two ways were open. *Rates that change only at events* (fluid sharing) treat tokens as a liquid: cheap, but a decode may
end in the middle of a step, and a segment's end, on which a fork or a join hangs, moves by up to a step. *Stepping*
through every step is exact and costs one event per step: 10,000 jobs of eight branches have forty million. This module
does neither. Between two changes of the batch, nothing happens in a step but one token more for each sequence, so the
time of n steps is an arithmetic series with a closed form (`step_time.Pace`). One event on the heap stands for the
whole run of steps up to the next segment's end; whoever arrives or is aborted meanwhile cuts the run at the end of the
step that is under way, as a real scheduler does. Only steps that compute prompts are taken one by one: about one per
decode. So times are those of stepping, and a decode costs about four events, however long it is.

What is modelled as vLLM does it: admission by places, priority and turns of jobs (`workers/replica/admission.py`);
memory for keys and values, of which a full replica takes the youngest sequence's back, to be computed again; prompts in
chunks beside the decodes; the first token at the end of the last chunk's step. Approximations: keys and values that
siblings share are counted once for each of them; a cached prefix is not evicted while its job runs.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from anabranch.dag.decoding import Decoded, Fault, Finish, Usage
from anabranch.dag.simulation.description import Cluster
from anabranch.dag.simulation.engines.step_time import Pace
from anabranch.dag.simulation.engines.streams import Stages, Stream, Turns
from anabranch.dag.simulation.models.outputs import ENGINE
from anabranch.dag.vocabulary import Cause

At = Callable[[float, Callable[[float], None]], None]
"""Lets something happen at a time; it is told the time. In seconds since the simulation began, as all times here."""


@dataclass(slots=True)
class Run:
    """Steps of one batch, under way."""

    began: float
    steps: int
    batch: int
    """Sequences in each."""
    joining: list[tuple[Stream, int]]
    """Prompts that it computes, each with how many of its tokens."""
    pace: Pace
    cut_short: bool = False


@dataclass(slots=True)
class Tally:
    """What a replica has done."""

    busy: float = 0.0
    """Seconds in which it took steps."""
    sequence_seconds: float = 0.0
    """The same, each second counted as often as there were sequences."""
    tokens: int = 0
    prefilled: int = 0
    preempted: int = 0


@dataclass(slots=True)
class Replica:
    """The batch, who waits, and the run of steps under way."""

    name: str
    cluster: Cluster
    at: At
    done: Tally = field(default_factory=Tally)
    _waiting: Turns = field(default_factory=Turns)
    _decoding: dict[int, Stream] = field(default_factory=dict)
    _beginning: list[Stream] = field(default_factory=list)
    """Prompts of which something is still to be computed, oldest first."""
    _ends: list[tuple[int, int]] = field(default_factory=list)
    """The step of each decoding stream's next cut, with its ticket."""
    _step: int = 0
    _context: int = 0
    """Tokens in the contexts of those that decode."""
    _run: Run | None = None
    _tickets: int = 0
    _delivering: bool = False
    _version: int = 0

    @property
    def batch(self) -> tuple[int, int]:
        """Sequences that decode, and the tokens in their contexts at the last change."""
        return len(self._decoding), self._context

    def submit(self, stream: Stream, now: float) -> None:
        """Takes a decode up."""
        kv = self.cluster.kv_tokens
        if kv is not None and stream.prompt >= kv:
            detail = f"the prompt has {stream.prompt} tokens, and the replica holds {kv}"
            fault = Fault(cause=Cause.PROMPT_TOO_LONG, detail=detail, retryable=False)
            self._end(stream, Decoded(text="", finish=Finish.ERROR, fault=fault, engine=ENGINE), now)
            return
        stream.left = max(1, stream.prompt - stream.cached)
        self._waiting.put(stream)
        if len(self._decoding) + len(self._beginning) < self.cluster.max_decodes:
            self._wake(now)

    def abort(self, stream: Stream, now: float) -> None:
        """Ends a decode with the tokens of the steps that are done; its place is free from the next step on."""
        if stream.over:
            return
        tokens = self._tokens(stream, now)
        cut = stream.cuts[stream.next]
        share = (tokens - stream.told) / max(1, cut.tokens - stream.told)
        text = cut.decoded.text[: int(len(cut.decoded.text) * share)]
        decoded = Decoded(text=text, finish=Finish.ABORT, engine=ENGINE)
        usage = Usage(completion_tokens=max(0, tokens - stream.told))
        self._end(stream, replace(decoded, usage=usage), now)
        self._wake(now)

    # -- steps ----------------------------------------------

    def _tokens(self, stream: Stream, now: float) -> int:
        if stream.ticket not in self._decoding:
            return stream.written
        run = self._run
        steps = min(run.pace.steps(now - run.began), run.steps) if run is not None else 0
        return self._step + steps - stream.base

    def _wake(self, now: float) -> None:
        """Something has changed: the batch is made anew at the end of the step that is under way."""
        if self._delivering:
            return
        run = self._run
        if (
            run is None
        ):  # at this time, but behind all that comes at it: what is handed over together begins together
            self.at(now, self._plan)
        elif run.steps > 1 and not run.cut_short:
            done = run.pace.steps(now - run.began)
            if done + 1 < run.steps:
                run.steps, run.cut_short = done + 1, True
                self._await_end(run)

    def _plan(self, now: float) -> None:
        """Starts the next run of steps, if there is anything to do."""
        if self._run is not None:
            return
        self._admit(now)
        batch = len(self._decoding)
        joining = self._joining()
        if not batch and not joining:
            return
        steps = self._steps_with_room(1 if joining else self._next_cut() - self._step, batch, joining)
        if not steps:
            self._make_room(now)
            self._plan(now)
            return
        chunk = sum(tokens for _, tokens in joining)
        step = self.cluster.step
        first = step.of_batch(batch + len(joining)) + step.per_context_token * self._context
        pace = Pace(first + step.per_prefill_token * chunk, step.per_context_token * batch)
        self._run = Run(now, steps, batch + len(joining), joining, pace)
        self._await_end(self._run)

    def _await_end(self, run: Run) -> None:
        self._version += 1
        version = self._version
        self.at(run.began + run.pace.seconds(run.steps), lambda now: self._finish(run, version, now))

    def _finish(self, run: Run, version: int, now: float) -> None:
        """The steps of a run are done: segments that end with them are told, and the next run begins."""
        if version != self._version:
            return
        self._account(run, now)
        self._run = None
        self._step += run.steps
        self._context += len(self._decoding) * run.steps
        self._delivering = True
        self._join(run.joining, now)
        while self._ends and self._ends[0][0] <= self._step:
            _, ticket = heapq.heappop(self._ends)
            if (stream := self._decoding.get(ticket)) is not None:
                self._tell(stream, now)
        self._delivering = False
        self._plan(now)

    def _account(self, run: Run, now: float) -> None:
        seconds = now - run.began
        self.done.busy += seconds
        self.done.sequence_seconds += seconds * run.batch
        self.done.tokens += len(self._decoding) * run.steps
        self.done.prefilled += sum(tokens for _, tokens in run.joining)

    # -- who is in the batch ----------------------------------------------

    def _admit(self, now: float) -> None:
        room = self.cluster.max_decodes - len(self._decoding) - len(self._beginning)
        while room > 0 and self._waiting and self._fits(self._waiting.first()):
            stream = self._waiting.pop()
            self._tickets += 1
            stream.ticket = self._tickets
            if stream.stages.scheduled is None:
                stream.stages = replace(stream.stages, scheduled=now)
            self._beginning.append(stream)
            room -= 1

    def _used(self) -> int:
        return self._context + sum(stream.prompt + stream.written for stream in self._beginning)

    def _fits(self, stream: Stream) -> bool:
        """Whether memory has room for it, and for a token more of everybody."""
        kv, everybody = self.cluster.kv_tokens, len(self._decoding) + len(self._beginning) + 1
        return kv is None or self._used() + stream.prompt + stream.written + everybody <= kv

    def _joining(self) -> list[tuple[Stream, int]]:
        """The prompts that the next step computes, each with how many of its tokens."""
        room, found = self.cluster.prefill_chunk, []
        for stream in self._beginning:
            if room <= 0:
                break
            tokens = min(stream.left, room)
            found.append((stream, tokens))
            room -= tokens
        return found

    def _join(self, joining: list[tuple[Stream, int]], now: float) -> None:
        """Those whose prompt is computed have a token, and decode from now on."""
        for stream, tokens in joining:
            stream.left -= tokens
            if stream.left or stream.over:
                continue
            if stream.stages.first_token is None:
                stream.stages = replace(stream.stages, first_token=now)
            stream.base = self._step - 1 - stream.written
            self._context += stream.prompt + stream.written + 1
            self.done.tokens += 1
            self._decoding[stream.ticket] = stream
            self._await_cut(stream)
        self._beginning = [stream for stream in self._beginning if stream.left and not stream.over]

    def _await_cut(self, stream: Stream) -> None:
        heapq.heappush(self._ends, (stream.base + max(1, stream.cuts[stream.next].tokens), stream.ticket))

    def _next_cut(self) -> int:
        while self._ends[0][1] not in self._decoding:
            heapq.heappop(self._ends)
        return self._ends[0][0]

    def _leave(self, stream: Stream) -> None:
        """Takes a stream out of the batch."""
        if self._decoding.pop(stream.ticket, None) is not None:
            self._context -= stream.prompt + self._step - stream.base
        elif stream in self._beginning:
            self._beginning.remove(stream)
        stream.ticket = -1

    # -- memory ----------------------------------------------

    def _steps_with_room(self, steps: int, batch: int, joining: list[tuple[Stream, int]]) -> int:
        kv = self.cluster.kv_tokens
        growth = batch + len(joining)
        return steps if kv is None else min(steps, max(0, (kv - self._used()) // growth))

    def _make_room(self, now: float) -> None:
        """Memory is full: the youngest sequence gives its own back; one that is alone has written all it can."""
        youngest = max((*self._decoding.values(), *self._beginning), key=lambda stream: stream.ticket)
        tokens = self._tokens(youngest, now)
        if len(self._decoding) + len(self._beginning) == 1:
            decoded = youngest.cuts[youngest.next].decoded
            usage = Usage(completion_tokens=tokens - youngest.told)
            cut = replace(decoded, finish=Finish.LENGTH, usage=usage, tag=None, open=False)
            self._end(youngest, cut, now)
            return
        self._leave(youngest)
        self.done.preempted += 1
        youngest.written = tokens
        youngest.left = youngest.prompt + tokens
        self._waiting.put_first(youngest)

    # -- segments ----------------------------------------------

    def _tell(self, stream: Stream, now: float) -> None:
        cut = stream.cuts[stream.next]
        stream.next += 1
        if stream.next == len(stream.cuts):
            self._end(stream, cut.decoded, now)
            return
        self._deliver(stream, cut.decoded, now)
        stream.told = cut.tokens
        stream.stages = Stages(submitted=now, scheduled=now)
        if not stream.over:
            self._await_cut(stream)

    def _end(self, stream: Stream, decoded: Decoded, now: float) -> None:
        self._leave(stream)
        stream.over = True
        self._deliver(stream, decoded, now)

    def _deliver(self, stream: Stream, decoded: Decoded, now: float) -> None:
        usage = decoded.usage
        if not stream.booked:
            stream.booked = True
            usage = replace(usage, prompt_tokens=stream.prompt, cached_tokens=stream.cached)
        stream.deliver(replace(decoded, usage=usage, replica=self.name), replace(stream.stages, finished=now))
