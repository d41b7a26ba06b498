"""Notes what a run needs to know of its job's past beside the interpreter, while the journal is read."""

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import ReasoningGraph
from anabranch.dag.deadlines import BranchDeadlines, TimeLimits
from anabranch.dag.ids import BranchId
from anabranch.dag.job import Budget
from anabranch.dag.limits import Limits
from anabranch.service.organizer.job.join_timers import JoinRequests
from anabranch.service.organizer.job.stragglers import Stragglers


class Past:
    """A job's past, folded record by record in any thread. What has ended leaves nothing but its place in the graph."""

    def __init__(self, budget: Budget, limits: Limits) -> None:
        self.seq = 0
        self.graph = ReasoningGraph()
        self.stragglers = Stragglers() if limits.hedge > 0 else None
        self.joins = JoinRequests()
        self.time_limits = TimeLimits(budget.seconds)
        self.branch_deadlines = BranchDeadlines(budget.branch_seconds)
        self.due: dict[BranchId, tuple[float, e.BranchCancelled]] = {}
        """When branches that have not ended must have: Unix seconds, and what happens then."""
        self.opened: dict[BranchId, int] = {}
        """Open segments: the seq of their start."""

    def add(self, record: e.Record) -> None:
        """Notes the next record."""
        self.seq = record.seq
        self.graph.add(record)
        self.joins.note(record)
        self.time_limits.note(record)
        if self.stragglers is not None:
            self.stragglers.note(record)
        for due, cancelled in self.branch_deadlines.begun(record):
            self.due[cancelled.branch] = due, cancelled
        match record.event:
            case e.SegmentStarted(branch=branch):
                self.opened[branch] = record.seq
            case e.SegmentFinished(branch=branch):
                self.opened.pop(branch, None)
            case (
                e.BranchReturned(branch=branch)
                | e.BranchFailed(branch=branch)
                | e.BranchCancelled(branch=branch)
            ):
                self.due.pop(branch, None)
            case _:
                pass
