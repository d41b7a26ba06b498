"""A job's seconds: when its policy is told to wind up, and when it must stop."""

from collections.abc import Sequence

from anabranch.dag import events as e

WIND_UP = 0.8
"""Share of a job's seconds after which its policy is told to wind up."""


def words(limit: float, records: Sequence[e.Record], now: float) -> list[tuple[float, e.BudgetExceeded]]:
    """The words that are still to be said, each with its moment in Unix seconds.

    Time counts from the first claim, whoever held it, and goes on while a job is parked or its organizer is lost.
    """
    claimed = (record.at.timestamp() for record in records if isinstance(record.event, e.JobClaimed))
    begun = next(claimed, now)
    exceeded = (record.event for record in records if isinstance(record.event, e.BudgetExceeded))
    said = {event.spent for event in exceeded if event.resource == "seconds"}
    facts = (
        (begun + limit * share, e.BudgetExceeded(resource="seconds", limit=limit, spent=limit * share))
        for share in (WIND_UP, 1.0)
    )
    return [(due, fact) for due, fact in facts if fact.spent not in said]
