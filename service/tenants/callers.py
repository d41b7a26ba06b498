"""Says who sent a request: whose jobs it submits, what its key may do, how much, how often."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from anabranch.dag.job import Budget
from anabranch.service.store.jobs.quotas import NO_QUOTA, Quota


class Role(StrEnum):
    """What a key may be for. `service/api/roles.py` says which route takes which."""

    SUBMIT = "submit"
    """Submit jobs, cancel them, run them again."""
    READ = "read"
    """Look at jobs: lists, events, graphs, exports."""
    APPROVE = "approve"
    """Decide gates."""
    ADMIN = "admin"
    """All of that, and what is set up for the whole tenant, such as webhooks."""


ALL_ROLES = frozenset(Role)
USUAL_ROLES = (Role.SUBMIT, Role.READ, Role.APPROVE)
"""Of a key for which none are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request."""

    tenant: str = "default"
    """Whose jobs it submits."""
    sees_all: bool = True
    quota: Quota = NO_QUOTA
    tokens_per_job: int | None = None
    cost_per_job: float | None = None
    roles: frozenset[Role] = ALL_ROLES
    requests_per_minute: int | None = None
    """Of the tenant."""
    streams: int | None = None
    """Of the tenant that may be open at once."""
    key: str | None = None
    """The key's name; None of one that stands in the tenants file, and of nobody's."""
    expires_at: datetime | None = None

    @property
    def scope(self) -> str | None:
        """The tenant whose jobs it sees; None for all."""
        return None if self.sees_all else self.tenant

    def may(self, role: Role) -> bool:
        return role in self.roles or Role.ADMIN in self.roles

    def bound(self, budget: Budget) -> Budget:
        """A job's budget; where it names none, and the caller has a quota, the tenant's own for one job."""
        tokens = self.tokens_per_job if budget.tokens is None else budget.tokens
        cost = self.cost_per_job if budget.cost is None else budget.cost
        return replace(budget, tokens=tokens, cost=cost)


ANYBODY = Caller()
"""Where there are no tenants, everybody may do everything."""
