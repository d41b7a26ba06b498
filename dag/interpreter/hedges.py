"""Starts a late decode once more, and settles which of the two counts.

**Hedging** (Dean and Barroso, The Tail at Scale, CACM 2013): a segment whose decode is late beside its siblings is
decoded a second time, on another replica, under a budget. The first end that is no failure is the segment's; the other
decode is aborted, and when it has ended (`HedgeLost`) its tokens are booked, as waste. Which decodes are late only a
clock can tell, so that is a fact, `SegmentHedged`; whether one more may be started is ruled here.
"""

from math import ceil

from anabranch.dag import events as e
from anabranch.dag.actions import Think
from anabranch.dag.commands import Abort, Decode
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.ids import BranchId
from anabranch.dag.interpreter import asking
from anabranch.dag.interpreter.branch_run import Routine
from anabranch.dag.interpreter.budget import tokens_left
from anabranch.dag.interpreter.run import Run
from anabranch.dag.state import JobState


def may_hedge(state: JobState, started: e.SegmentStarted) -> bool:
    """Whether another decode of this segment could take its place. One that goes on behind a tag could not: what it
    wrote before stands. Nor could the final thought, of which readers were told the beginning."""
    whole = not started.continues and not started.final
    return whole and state.branches[started.branch].tool is None


def hedge(run: Run, fact: e.SegmentHedged) -> bool:
    """Starts the late decode once more. False where that comes too late, or the job may not."""
    state, branch = run.state, run.state.branches.get(fact.branch)
    started = branch.open if branch is not None else None
    if branch is None or started is None or not branch.live or not may_hedge(state, started):
        return False
    if (started.segment, started.attempt) != (fact.segment, fact.attempt):
        return False
    if branch.id in state.hedges or branch.hedged == fact.segment:
        return False
    if state.winding_down or not _affordable(run, started):
        return False
    run.emit(fact)
    run.commands.append(_second(run, run.routines[branch.id], started))
    return True


def _affordable(run: Run, started: e.SegmentStarted) -> bool:
    """Whether share, width and budget leave room for one more decode."""
    state = run.state
    if state.hedged >= ceil(state.limits.hedge * state.begun):
        return False
    if len(state.open_segments) + len(state.hedges) >= state.limits.width:
        return False
    room = tokens_left(run, started.model)
    return room is None or room >= max(1, started.max_tokens or 0)


def _second(run: Run, routine: Routine, started: e.SegmentStarted) -> Decode:
    assert routine.waiting is not None and isinstance(routine.waiting.action, Think)
    decoding, _ = asking.decoding_of(run, routine.branch, routine.waiting.action)
    return asking.command_of(run, routine, started, decoding, copy=1)


def abort_loser(run: Run, fact: e.SegmentFinished) -> None:
    """The segment has ended: the other decode of it is stopped. The one that ended it may go on, behind a tag."""
    hedged = run.state.hedges.get(fact.branch)
    if hedged is not None and hedged.started.segment == fact.segment:
        run.commands.append(Abort(branch=fact.branch, segment=fact.segment, copy=1 - fact.copy))


def lost(run: Run, fact: e.HedgeLost) -> bool:
    """Books the decode that does not count. False when it was booked already."""
    hedged = run.state.hedges.get(fact.branch)
    if hedged is None or hedged.left not in (None, fact.copy):
        return False
    if (hedged.started.segment, hedged.started.attempt) != (fact.segment, fact.attempt):
        return False
    run.emit(fact)
    return True


def fact_of_end(
    state: JobState, branch: BranchId, segment: int, decoded: Decoded, copy: int
) -> e.SegmentFinished | e.HedgeLost:
    """What the end of a decode is, with what it cost; `copy` 1: of the second one. Of a segment that is decoded twice
    the first end counts, unless it is a failure: then the other goes on alone."""
    held, hedged = state.branches[branch], state.hedges.get(branch)
    if hedged is not None and hedged.started.segment == segment:
        attempt, model = hedged.started.attempt, hedged.started.model
        if hedged.left is not None or decoded.finish is Finish.ERROR:
            priced = state.limits.priced(decoded, model)
            return e.HedgeLost(branch=branch, segment=segment, attempt=attempt, decoded=priced, copy=copy)
    else:
        copy = held.copy
    priced = state.limits.priced(decoded, held.open.model if held.open is not None else None)
    return e.SegmentFinished(branch=branch, segment=segment, attempt=held.attempt, decoded=priced, copy=copy)
