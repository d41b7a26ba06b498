"""Holds what all events have, and what all ends of branches, and all words about budgets."""

from dataclasses import dataclass, field

from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.vocabulary import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class OfBranch:
    branch: BranchId = TRUNK
    """Whose event it is: for a fork or a join, the parent's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchEnd(OfBranch):
    withdrawn: tuple[int, ...] = field(default=(), compare=False)
    """Approvals that it waited for: nobody needs to decide them any more. Told to readers only: a journal from before
    it was told replays the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfResource(OfBranch):
    resource: Resource
    limit: float
    spent: float
