"""Lets decodes wait for room in the pool, where the operator limits how much branches may slow others (`dag/room.py`).

The first decode of a job always goes, and its trunk. A further one stands in line until a fact says that there is room:
`RoomTold`. It counts once, for those who are in line then; whoever comes later asks anew, for load changes. So what was
decided with which load is in the journal, once for each time that something was admitted, and a replay asks nobody.
"""

from dataclasses import dataclass

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.commands import AskRoom
from anabranch.dag.ids import TRUNK
from anabranch.dag.interpreter.branch_run import Routine, Waiting
from anabranch.dag.interpreter.budget import tokens_left
from anabranch.dag.interpreter.organizing import model_of
from anabranch.dag.interpreter.run import Run
from anabranch.dag.state import JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Decodes that wait for room, and for nothing else."""

    running: int
    """Decodes of the job that run."""
    waiting: int
    model: str | None
    """Of the one that is next."""


def streams_of(state: JobState) -> int:
    """Decodes of models that run; tools slow nobody."""
    return len(state.hedges) + sum(state.branches[open_].tool is None for open_ in state.open_segments)


def must_wait(run: Run, routine: Routine) -> bool:
    """Whether this one, which is next in line, has no room. The trunk goes on at once: the job depends on it."""
    if not run.state.limits.slowdown or routine.branch == TRUNK:
        return False
    return streams_of(run.state) >= run.room


def line(run: Run) -> Line | None:
    """Who waits for room; None where nobody does."""
    state = run.state
    if not state.limits.slowdown or run.ending is not None or not run.line:
        return None
    if len(state.open_segments) + len(state.hedges) >= state.limits.width:
        return None
    model = model_of(run, run.line[0])
    tokens = tokens_left(run, model)
    if tokens is not None and tokens <= 0:
        return None  # it waits for what others leave over of the budget
    return Line(running=streams_of(run.state), waiting=len(run.line), model=model)


def ask(run: Run, routine: Routine, action: a.AskRoom) -> a.Room | None:
    """Asks the pool for a policy; where nobody is to be heeded, the width that the job may have is known."""
    limits = run.state.limits
    if not limits.slowdown:
        return a.Room(width=limits.width, winding_down=run.state.winding_down)
    command = AskRoom(branch=routine.branch, running=streams_of(run.state), model=model_of(run, routine))
    run.commands.append(command)
    routine.waiting = Waiting(action=action, command=command)
    return None


def told(run: Run, fact: e.RoomTold) -> bool:
    """Takes the answer: to a policy that asks, or for those in line. False where it changes nothing."""
    routine = run.routines.get(fact.branch)
    waiting = routine.waiting if routine is not None else None
    if routine is not None and waiting is not None and isinstance(waiting.action, a.AskRoom):
        run.emit(fact)
        routine.waiting = None
        width = min(fact.width, run.state.limits.width)
        run.ready.append((routine, a.Room(width=width, winding_down=run.state.winding_down)))
        return True
    waits = line(run)
    if waits is None or fact.width <= waits.running:
        return False
    run.emit(fact)
    run.room = fact.width
    return True
