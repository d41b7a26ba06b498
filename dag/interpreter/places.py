"""Counts how many children of a branch may work at once, and who waits for a place. Only `forks.py` changes it."""

from collections import deque
from dataclasses import dataclass, field

from anabranch.dag.ids import BranchId


@dataclass(slots=True)
class Places:
    limit: int | None = None
    """Set by a Fork(capacity, overflow=a.Overflow.QUEUE); None: no limit."""
    taken: set[BranchId] = field(default_factory=set)
    """Children that have begun and not ended."""
    line: deque[BranchId] = field(default_factory=deque)
    """Children that wait for a place."""

    @property
    def full(self) -> bool:
        return self.limit is not None and len(self.taken) >= self.limit

    def free(self, child: BranchId) -> bool:
        """Gives up a child's place. False when it held none: it never began."""
        held = child in self.taken
        self.taken.discard(child)
        return held
