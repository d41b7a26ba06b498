"""Tells jobs whose decodes wait for room in a pool that there is some: by priority, and who waits longest first.

It is asked behind each turn of a job and looks again every so often, since other organizers' decodes end, too. What was
told and has not begun yet counts as if it had, so that two jobs are not told the same room.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.ids import JobId
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.interpreter.room import Line, streams_of
from anabranch.dag.room import width
from anabranch.dag.state import JobState
from anabranch.workers.pool.protocol import Pool

LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiter:
    line: Line
    priority: int
    slowdown: float
    tell: Callable[[e.Event], None]


class Rooms:
    """The jobs of one organizer that wait."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: dict[JobId, _Waiter] = {}
        """Who waits longest comes first."""
        self._told: dict[JobId, tuple[str | None, int]] = {}
        """Decodes that may begin and have not, by the model of which they are asked."""
        self._timer: asyncio.TimerHandle | None = None

    def note(self, job: JobId, interpreter: Interpreter, tell: Callable[[e.Event], None]) -> None:
        """The job has taken a turn: its decodes may wait now, or no longer."""
        spec, slowdown = interpreter.state.spec, interpreter.state.limits.slowdown
        if not slowdown or spec is None:
            return
        self._told.pop(job, None)
        line = interpreter.line
        if line is None:
            self._waiting.pop(job, None)
        else:
            self._waiting[job] = _Waiter(line=line, priority=spec.priority, slowdown=slowdown, tell=tell)
        self._look_in(0.0)

    def forget(self, job: JobId) -> None:
        """It has ended, or is another organizer's."""
        self._told.pop(job, None)
        if self._waiting.pop(job, None) is not None:
            self._look_in(0.0)

    def answer(self, command: c.AskRoom, state: JobState) -> e.RoomTold:
        """For a policy that asks."""
        room, streams = self._room(command.model, command.running, state.limits.slowdown)
        return e.RoomTold(branch=command.branch, width=room, streams=streams)

    def fits(self, job: JobId, state: JobState, model: str | None) -> bool:
        """Whether the pool has room for one more decode of this job, a second one of a late segment: it slows others as
        a fork does. Until the job has taken its next turn the room is its own."""
        if not state.limits.slowdown:
            return True
        running = streams_of(state)
        if self._room(model, running, state.limits.slowdown)[0] <= running:
            return False
        asked, begin = self._told.get(job, (model, 0))
        self._told[job] = asked, begin + 1
        return True

    def _look_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._look) if self._waiting else None

    def _look(self) -> None:
        full: set[str | None] = set()
        for job, waiter in sorted(self._waiting.items(), key=lambda item: item[1].priority):
            line = waiter.line
            if job in self._told or line.model in full:
                continue
            room, streams = self._room(line.model, line.running, waiter.slowdown)
            if room <= line.running:
                full.add(line.model)
                continue
            begin = min(line.waiting, room - line.running)
            self._told[job] = line.model, begin
            waiter.tell(e.RoomTold(width=line.running + begin, streams=streams))
        self._look_in(LOOK_SECONDS)

    def _room(self, model: str | None, running: int, slowdown: float) -> tuple[int, int]:
        """For how many branches there is room, and how many streams the pool has."""
        load, step = self._pool.streams(model)
        told = sum(begin for asked, begin in self._told.values() if asked == model)
        streams = load.streams + told
        return width(replace(load, streams=streams), running, step, slowdown), streams
