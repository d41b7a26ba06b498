"""Rewrites a branch's own text at the least cost to its prefix cache."""

from anabranch.dag.actions import Splice
from anabranch.dag.ids import BranchId


def rewrite(before: str, after: str, reads: tuple[BranchId, ...] = ()) -> Splice:
    """The splice after which a branch's own text that ended with `before` ends with `after`. What both begin with
    stays: where `after` goes on from `before`, nothing is removed."""
    both = zip(before, after, strict=False)
    same = next((i for i, (old, new) in enumerate(both) if old != new), min(len(before), len(after)))
    return Splice(text=after[same:], removes=len(before) - same, reads=reads)
