"""Runs a policy again from its journal: facts are fed back, consequences must come out as they were recorded."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from anabranch.dag import events as e
from anabranch.dag.errors import Diverged
from anabranch.dag.interpreter import Interpreter

FACTS = (
    e.JobSubmitted,
    e.JobClaimed,
    e.SegmentFinished,
    e.SegmentHedged,
    e.HedgeLost,
    e.RoomTold,
    e.BranchCancelled,
    e.WindUpRequested,
    e.BudgetExceeded,
    e.BranchScored,
    e.BranchesVoted,
    e.BranchesJoined,
    e.ApprovalDecided,
    e.JobRated,
)
"""Kinds that may be facts. Some are consequences at other times: a record that was computed is never fed."""

ALWAYS_FACTS = (
    e.JobSubmitted,
    e.JobClaimed,
    e.SegmentFinished,
    e.SegmentHedged,
    e.HedgeLost,
    e.RoomTold,
    e.JobRated,
)
"""Kinds that are nothing else."""


def replay(records: Iterable[e.Record]) -> Interpreter:
    """The interpreter as it stood when the last record was appended.

    Raises Diverged at the first record that the policy, as it is now, would not have led to.
    """
    replaying = Replay()
    for record in records:
        replaying.add(record)
    return replaying.end()


class Replay:
    """Replays a journal record by record. Of the journal it holds what one fact led to, and no more."""

    def __init__(self) -> None:
        self._interpreter = Interpreter()
        self._computed: deque[e.Event] = deque()
        self._step: deque[e.Event] = deque()
        """It begins with a fact at all times, and is fed when the next one comes: by then its votes are known."""
        self._seq = 0
        """Of the last record before it."""

    def add(self, record: e.Record) -> None:
        """Takes the next record. Raises Diverged where those before it differ from what the policy led to."""
        if self._step and isinstance(record.event, ALWAYS_FACTS):
            self._feed_step()
        self._step.append(record.event)

    def end(self) -> Interpreter:
        """The interpreter as it stands behind the last record. Raises Diverged."""
        self._feed_step()
        if self._computed:
            raise Diverged(self._seq + 1, None, self._computed[0])
        self._interpreter.foresee(None)
        return self._interpreter

    def _feed_step(self) -> None:
        step, computed = self._step, self._computed
        votes = {at: event for at, event in enumerate(step, start=1) if isinstance(event, e.BranchesVoted)}
        began = self._seq
        while step:
            event = step.popleft()
            self._seq += 1
            if not computed:
                if not isinstance(event, FACTS):
                    raise Diverged(self._seq, event, None)
                at = self._seq - began
                self._interpreter.foresee({place - at: vote for place, vote in votes.items() if place > at})
                computed.extend(self._interpreter.feed(event).events)
            if not computed or _compared(computed[0]) != _compared(event):
                raise Diverged(self._seq, event, computed[0] if computed else None)
            computed.popleft()


def _compared(event: e.Event) -> e.Event:
    """The event without words that people alone read: an edit of them is no other course of a job."""
    match event:
        case e.JobFailed():
            return replace(event, title="", detail="")
        case e.BranchFailed():
            return replace(event, detail="")
        case _:
            return event
