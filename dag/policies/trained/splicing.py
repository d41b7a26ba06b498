"""Rewrites a branch's own text at the least cost to its prefix cache."""

from anabranch.dag.actions import Splice
from anabranch.dag.ids import BranchId


def rewrite(before: str, after: str, reads: tuple[BranchId, ...] = ()) -> Splice:
    """The splice after which a branch's own text that ended with `before` ends with `after`. What both begin with
    stays: where `after` goes on from `before`, nothing is removed."""
    same = _shared_length(before, after)
    return Splice(text=after[same:], removes=len(before) - same, reads=reads)


def _shared_length(one: str, other: str) -> int:
    """How many characters both texts begin with, found by halves: pages are long, and characters compared one by one
    are slow."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
