"""Runs a scenario: jobs come, policies fork and join, replicas decode, all on one heap of what happens next.

No clock is read and no random source: numbers are drawn by name (`draws.py`), and what happens at the same time happens
in the order in which it was put on the heap. So the same scenario gives the same result, to the last bit. How replicas
take steps, and why that is both exact and quick, is told in `engines/replica.py`.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import metrics_of
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.job import JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.simulation.arrivals import arrival_times
from anabranch.dag.simulation.description import Scenario
from anabranch.dag.simulation.engines.placing import Placing
from anabranch.dag.simulation.engines.replica import Replica
from anabranch.dag.simulation.engines.streams import Stages, Stream
from anabranch.dag.simulation.job_run import JobRun, Tool, no_tools
from anabranch.dag.simulation.models.outputs import ENGINE, Write
from anabranch.dag.simulation.outcome import Ended, Load, Outcome
from anabranch.dag.simulation.rooms import Rooms
from anabranch.dag.text import Context

CHARACTERS = 4
"""Of one token, where nobody has counted a prompt's."""
SAMPLES = 400
"""Points of time at which the load is looked at, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One job of a scenario."""

    kind: str
    spec: JobSpec
    write: Write
    tool: Tool = no_tools
    limits: Limits | None = None
    """The operator's, as they were for a recorded job. None: the scenario's."""


Ask = Callable[[int], Asked]
"""Gives the job of this number, from 0."""


@dataclass(slots=True)
class _Handed:
    """A decode that is on its way to a replica, or on one."""

    run: JobRun
    command: c.Decode
    segment: int
    """The one that ends next."""
    text: str = ""
    """What was read and written."""
    replica: int | None = None
    stream: Stream | None = None
    aborted: bool = False

    @property
    def key(self) -> tuple[int, BranchId, int]:
        return self.run.number, self.command.branch, self.command.segment


@dataclass(slots=True)
class ClusterRun:
    """The heap, and all that acts on it."""

    scenario: Scenario
    ask: Ask
    _agenda: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _tickets: int = 0
    _replicas: list[Replica] = field(init=False)
    _placing: Placing = field(init=False)
    _limits: Limits = field(init=False)
    _rooms: Rooms = field(init=False)
    _kinds: dict[int, str] = field(default_factory=dict)
    _queue: deque[JobRun] = field(default_factory=deque)
    _running: int = 0
    _decodes: dict[tuple[int, BranchId, int], _Handed] = field(default_factory=dict)
    _asked: int = 0
    _ended: list[Ended] = field(default_factory=list)
    _loads: list[Load] = field(default_factory=list)
    _every: float = 0.0
    """Seconds between two looks at the load."""

    def __post_init__(self) -> None:
        cluster, scenario = self.scenario.cluster, self.scenario
        self._limits = Limits(width=scenario.width, slowdown=scenario.slowdown, final_thoughts=True)
        self._replicas = [
            Replica(f"replica-{number}", cluster, self._at) for number in range(cluster.replicas)
        ]
        self._placing = Placing(cluster.replicas)
        self._rooms = Rooms(cluster, self._replicas, self._at)

    def run(self) -> Outcome:
        """Runs until all jobs have ended. Raises RuntimeError when some stand still for ever."""
        for when in arrival_times(self.scenario.arrivals, self.scenario.seed):
            self._expect(when)
        now = 0.0
        while self._agenda:
            when, _, happen = heapq.heappop(self._agenda)
            now = max(now, when)
            self._look(now)
            happen(now)
            if len(self._ended) == self.scenario.arrivals.jobs:
                break
        if len(self._ended) < self._asked:
            raise RuntimeError(f"{self._asked - len(self._ended)} jobs stand still at {now:g} s")
        return Outcome(
            scenario=self.scenario,
            jobs=tuple(sorted(self._ended, key=lambda job: job.number)),
            seconds=now,
            replicas=tuple(replica.done for replica in self._replicas),
            loads=tuple(self._loads),
        )

    def _at(self, when: float, happen: Callable[[float], None]) -> None:
        self._tickets += 1
        heapq.heappush(self._agenda, (when, self._tickets, happen))

    def _look(self, now: float) -> None:
        """Notes the load, at most so often that a plot can show it: of too many points every other one goes."""
        if self._loads and now < self._loads[-1].at + self._every:
            return
        jobs = self._running + len(self._queue)
        self._loads.append(Load(now, jobs, len(self._queue), len(self._decodes)))
        if len(self._loads) >= SAMPLES:
            self._loads = self._loads[::2]
            self._every = max(self._every * 2, now / SAMPLES)

    # -- jobs ----------------------------------------------

    def _expect(self, when: float) -> None:
        """A job comes at this time."""
        number, self._asked = self._asked, self._asked + 1
        self._at(when, lambda now: self._arrive(number, now))

    def _arrive(self, number: int, now: float) -> None:
        asked = self.ask(number)
        self._kinds[number] = asked.kind
        run = JobRun(
            number=number,
            spec=asked.spec,
            write=asked.write,
            limits=asked.limits or self._limits,
            arrived=now,
            at=self._at,
            decode=self._decode,
            abort=self._abort,
            ended=self._end,
            stepped=self._rooms.note,
            ask_room=lambda run, command: self._rooms.answer(command, run.limits.slowdown),
            tool=asked.tool,
        )
        most = self.scenario.cluster.max_jobs
        if most is not None and self._running >= most:
            self._queue.append(run)
        else:
            self._claim(run, now)

    def _claim(self, run: JobRun, now: float) -> None:
        self._running += 1
        run.claim(now)

    def _end(self, run: JobRun, now: float) -> None:
        self._running -= 1
        self._placing.forget(run.number)
        self._ended.append(
            Ended(
                number=run.number,
                kind=self._kinds.pop(run.number),
                status=run.interpreter.state.status,
                arrived=run.arrived,
                claimed=run.claimed,
                ended=now,
                waited=run.waited,
                metrics=metrics_of(run.graph),
            )
        )
        arrivals = self.scenario.arrivals
        if arrivals.process == "closed" and self._asked < arrivals.jobs:
            self._expect(now + arrivals.think_seconds)
        if self._queue:
            self._claim(self._queue.popleft(), now)

    # -- decodes ----------------------------------------------

    def _decode(self, run: JobRun, command: c.Decode, now: float) -> None:
        """Hands a decode over; it reaches its replica when the overhead has passed."""
        handed = _Handed(run, command, command.segment)
        self._decodes[handed.key] = handed
        self._rooms.began()
        delay = command.delay + self.scenario.cluster.overhead
        self._at(now + delay, lambda then: self._reach(handed, then))

    def _reach(self, handed: _Handed, now: float) -> None:
        run, command = handed.run, handed.command
        stages = Stages(submitted=now)
        if handed.aborted:
            aborted = Decoded(text="", finish=Finish.ABORT, engine=ENGINE)
            self._tell(handed, aborted, replace(stages, finished=now))
            return
        output, handed.text = run.write(command), _read(command.context)
        text = handed.text
        prompt = output.prompt_tokens if output.prompt_tokens is not None else ceil(len(text) / CHARACTERS)
        place = handed.replica = self._placing.place(run.number, command.affinity)
        known = self._placing.cached(run.number, command.affinity, place, text)
        self._placing.remember(run.number, command.affinity, place, text)
        handed.stream = Stream(
            job=run.number,
            cuts=output.cuts,
            prompt=prompt,
            cached=prompt * known // len(text) if text else 0,
            deliver=lambda decoded, stages: self._tell(handed, decoded, stages),
            stages=stages,
            priority=run.spec.priority,
        )
        self._replicas[place].submit(handed.stream, now)

    def _tell(self, handed: _Handed, decoded: Decoded, stages: Stages) -> None:
        """A segment has ended: the job is told."""
        run, command = handed.run, handed.command
        handed.text += decoded.text
        assert stages.finished is not None
        now = stages.finished
        if not decoded.open:
            del self._decodes[handed.key]
            self._rooms.ended(now)
            if handed.replica is not None:
                self._placing.free(handed.replica)
                self._placing.remember(run.number, command.affinity, handed.replica, handed.text)
        fact = e.SegmentFinished(
            branch=command.branch, segment=handed.segment, attempt=command.attempt, decoded=decoded
        )
        handed.segment += 1
        run.finished(fact, stages, now)

    def _abort(self, run: JobRun, command: c.Abort, now: float) -> None:
        handed = self._decodes.get((run.number, command.branch, command.segment))
        if handed is None:
            return  # a tool's: it ends by itself
        handed.aborted = True
        if handed.stream is not None and handed.replica is not None:
            stream, replica = handed.stream, self._replicas[handed.replica]
            # Not at once: the interpreter is in the middle of the step that asks for it.
            self._at(now, lambda then: replica.abort(stream, then))


def _read(context: Context) -> str:
    """All that a model reads, as one text."""
    return "".join((*(text for _, text in context.messages), context.thought, context.continuation))
