"""Runs a policy again from its journal: facts are fed back, consequences must come out as they were recorded."""

from collections import deque
from collections.abc import Iterable

from anabranch.dag import events as e
from anabranch.dag.errors import Diverged
from anabranch.dag.interpreter import Interpreter

FACTS = (
    e.JobSubmitted,
    e.JobClaimed,
    e.SegmentFinished,
    e.BranchCancelled,
    e.WindUpRequested,
    e.BudgetExceeded,
    e.BranchScored,
    e.BranchesVoted,
    e.BranchesJoined,
    e.ApprovalDecided,
)
"""Kinds that may be facts. Some are consequences at other times: a record that was computed is never fed."""


def replay(records: Iterable[e.Record]) -> Interpreter:
    """The interpreter as it stood when the last record was appended.

    Raises Diverged at the first record that the policy, as it is now, would not have led to.
    """
    interpreter = Interpreter()
    computed: deque[e.Event] = deque()
    seq = 0
    for record in records:
        seq, event = record.seq, record.event
        if not computed:
            if not isinstance(event, FACTS):
                raise Diverged(seq, event, None)
            computed.extend(interpreter.feed(event).events)
        if not computed or computed[0] != event:
            raise Diverged(seq, event, computed[0] if computed else None)
        computed.popleft()
    if computed:
        raise Diverged(seq + 1, None, computed[0])
    return interpreter
