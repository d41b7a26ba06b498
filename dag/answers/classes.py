"""Holds answers that mean the same, as a vote counts them."""

from dataclasses import dataclass

from anabranch.dag.ids import BranchId


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerClass:
    """Answers that mean the same."""

    answer: str
    """As first written."""
    branches: tuple[BranchId, ...]
    weight: float
