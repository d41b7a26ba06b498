"""Computes deadlines: when a job's policy is told to wind up and when it must stop, and when a branch is cut off."""

from anabranch.dag import events as e
from anabranch.dag.ids import TRUNK, BranchId, parent_of
from anabranch.dag.journal.wording import in_current_words

WIND_UP = 0.8
"""Share of a job's seconds after which its policy is told to wind up."""


TimeLimit = e.WindUpRequested | e.BudgetExceeded


class TimeLimits:
    """Two words when a job's time runs short: wind up, then stop. Time counts from the first claim, whoever held it,
    and goes on while a job is parked or its organizer is lost."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._begun: float | None = None
        self._told: list[e.Event] = []

    def note(self, record: e.Record) -> None:
        """Reads in the journal when time began, and which words were said."""
        match record.event:
            case e.JobClaimed() if self._begun is None:
                self._begun = record.at.timestamp()
            case e.WindUpRequested() | e.BudgetExceeded():
                self._told.append(in_current_words(record.event))
            case _:
                pass

    def untold(self, now: float) -> list[tuple[float, TimeLimit]]:
        """The facts that are still to be told, each with its moment in Unix seconds."""
        limit, begun = self._seconds, now if self._begun is None else self._begun
        if limit is None:
            return []
        facts: tuple[TimeLimit, ...] = (
            e.WindUpRequested(resource=e.Resource.SECONDS, limit=limit, spent=limit * WIND_UP),
            e.BudgetExceeded(resource=e.Resource.SECONDS, limit=limit, spent=limit),
        )
        return [(begun + fact.spent, fact) for fact in facts if fact not in self._told]


class BranchDeadlines:
    """When each branch below the trunk must have ended: so long after it, or a branch below it, first decoded."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._begun: set[BranchId] = set()

    def begun(self, record: e.Record) -> list[tuple[float, e.BranchCancelled]]:
        """The deadlines that this record sets: each with its moment in Unix seconds, and what happens then."""
        if self._seconds is None or not isinstance(record.event, e.SegmentStarted):
            return []
        branches: list[BranchId] = []
        branch: BranchId | None = record.event.branch
        while branch is not None and branch != TRUNK and branch not in self._begun:
            branches.append(branch)
            branch = parent_of(branch)
        self._begun |= set(branches)
        reason = f"it took longer than the {self._seconds:g} s that a branch may take"
        due = record.at.timestamp() + self._seconds
        return [
            (due, e.BranchCancelled(branch=each, reason=reason, by=e.CancelledBy.DEADLINE))
            for each in branches
        ]
