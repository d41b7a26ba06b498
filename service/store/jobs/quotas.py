"""Counts what a tenant may spend in a day, where the spending is booked."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Double, case, cast, func, or_, select

from anabranch.dag.job import Budget
from anabranch.service.store.errors import QuotaSpent
from anabranch.service.store.sql.advisory_lock import advisory_lock
from anabranch.service.store.sql.tables import jobs

SOON_SECONDS = 5.0
"""When to ask again if jobs that are under way may leave something over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Per day, which begins at midnight UTC. None is no limit."""

    tokens: int | None = None
    """Decoded tokens."""
    cost: float | None = None
    """In the currency of the operator's price table."""


NO_QUOTA = Quota()


def reserve(connection: Connection, tenant: str, quota: Quota, budget: Budget, at: datetime) -> None:
    """Makes sure that a new job's whole budget fits into what is left of the day.

    A job that has not ended counts with its budget, one that has with what it spent, on the day of its end. So a tenant
    passes its quota by no more than its jobs pass their budgets (tokens: never; money: by prompts), whatever runs at
    once and whatever crashes: nothing is kept besides the jobs themselves.

    Raises QuotaSpent.
    """
    advisory_lock(connection, f"quota of {tenant}")
    if quota.tokens is not None:
        _reserve(connection, tenant, "tokens", quota.tokens, budget.tokens, at)
    if quota.cost is not None:
        _reserve(connection, tenant, "cost", quota.cost, budget.cost, at)


def _reserve(
    connection: Connection, tenant: str, what: str, quota: float, asked: float | None, at: datetime
) -> None:
    spent, promised = _used(connection, tenant, what, at)
    wanted = quota if asked is None else asked
    if spent + promised + wanted <= quota:
        return
    may_change = spent + wanted <= quota  # it fits, but for what is promised
    raise QuotaSpent(
        what, quota, spent, promised, wanted, SOON_SECONDS if may_change else _until_midnight(at)
    )


def _used(connection: Connection, tenant: str, what: str, at: datetime) -> tuple[float, float]:
    """What the jobs that ended today have spent, and what those under way may spend."""
    booked = jobs.c.completion_tokens if what == "tokens" else jobs.c.cost
    budget = cast(jobs.c.spec["budget"][what].as_string(), Double)
    under_way = jobs.c.finished_at.is_(None)
    summed = select(
        func.coalesce(func.sum(case((~under_way, booked))), 0),
        func.coalesce(func.sum(case((under_way, func.coalesce(budget, booked)))), 0),
    ).where(jobs.c.tenant == tenant, or_(under_way, jobs.c.finished_at >= _midnight(at)))
    spent, promised = connection.execute(summed).one()
    return float(spent), float(promised)


def _midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _until_midnight(at: datetime) -> float:
    return (_midnight(at) + timedelta(days=1) - at).total_seconds()
