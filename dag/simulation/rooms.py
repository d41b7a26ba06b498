"""Tells jobs of a simulation how many branches the replicas have room for, by the runtime's own rule (`dag/room.py`).

The step time is the scenario's own, of replicas that share all streams alike, with contexts as long as they are on
average. When a decode has ended, or somebody begins to wait, those who wait are told in turn: by priority, and the
oldest first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.room import Step, Streams, width
from anabranch.dag.simulation.description import Cluster
from anabranch.dag.simulation.engines.replica import At, Replica
from anabranch.dag.simulation.job_run import JobRun


@dataclass(slots=True)
class Rooms:
    """How many streams there are, and the jobs whose decodes wait."""

    cluster: Cluster
    replicas: Sequence[Replica]
    at: At
    _streams: int = 0
    _lines: dict[int, JobRun] = field(default_factory=dict)
    _looking: bool = False

    def began(self) -> None:
        """A decode was handed over."""
        self._streams += 1

    def ended(self, now: float) -> None:
        """One has ended."""
        self._streams -= 1
        self._look_soon(now)

    def note(self, run: JobRun, now: float) -> None:
        """The job has taken a step: its decodes may wait now, or no longer."""
        if run.interpreter.line is None:
            self._lines.pop(run.number, None)
        else:
            self._lines[run.number] = run
            self._look_soon(now)

    def answer(self, command: c.AskRoom, slowdown: float) -> e.RoomTold:
        """For a policy that asks."""
        return self._told(command.running, slowdown, command.branch)

    def _look_soon(self, now: float) -> None:
        """Behind all that happens at this time."""
        if self._lines and not self._looking:
            self._looking = True
            self.at(now, self._look)

    def _look(self, now: float) -> None:
        self._looking = False
        for run in sorted(self._lines.values(), key=lambda run: (run.spec.priority, run.number)):
            line = run.interpreter.line
            if line is None:
                continue
            told = self._told(line.running, run.limits.slowdown)
            if told.width <= line.running:
                return
            run.tell(told, now)

    def _told(self, running: int, slowdown: float, branch: BranchId = TRUNK) -> e.RoomTold:
        replicas = len(self.replicas)
        load = Streams(
            streams=self._streams,
            capacity=self.cluster.max_decodes * replicas,
            replicas=replicas,
        )
        wide = width(load, running, self._step, slowdown)
        return e.RoomTold(branch=branch, width=wide, streams=load.streams)

    @property
    def _step(self) -> Step:
        step = self.cluster.step
        batches = [replica.batch for replica in self.replicas]
        sequences = sum(sequences for sequences, _ in batches)
        context = sum(context for _, context in batches) / max(1, sequences)
        return lambda streams: step.of_batch(streams) + step.per_context_token * context * streams
