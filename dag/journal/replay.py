"""Runs a policy again from its journal: facts are fed back, consequences must come out as they were recorded."""

from collections import deque
from collections.abc import Iterable, Iterator
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
    interpreter = Interpreter()
    computed: deque[e.Event] = deque()
    seq = 0
    for step in _steps(records):
        seq = step[-1].seq
        votes = {
            at: record.event for at, record in enumerate(step) if isinstance(record.event, e.BranchesVoted)
        }
        for at, record in enumerate(step):
            event = record.event
            if not computed:
                if not isinstance(event, FACTS):
                    raise Diverged(record.seq, event, None)
                interpreter.foresee({place - at: vote for place, vote in votes.items() if place > at})
                computed.extend(interpreter.feed(event).events)
            if not computed or _compared(computed[0]) != _compared(event):
                raise Diverged(record.seq, event, computed[0] if computed else None)
            computed.popleft()
    if computed:
        raise Diverged(seq + 1, None, computed[0])
    interpreter.foresee(None)
    return interpreter


def _compared(event: e.Event) -> e.Event:
    """The event without words that people alone read: an edit of them is no other course of a job."""
    match event:
        case e.JobFailed():
            return replace(event, title="", detail="")
        case e.BranchFailed():
            return replace(event, detail="")
        case _:
            return event


def _steps(records: Iterable[e.Record]) -> Iterator[list[e.Record]]:
    """The records, each step beginning with one that is a fact at all times."""
    step: list[e.Record] = []
    for record in records:
        if step and isinstance(record.event, ALWAYS_FACTS):
            yield step
            step = []
        step.append(record)
    if step:
        yield step
