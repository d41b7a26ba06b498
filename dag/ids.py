"""Names jobs and branches. A branch is named by its path through the forks, so a replayed job asks for the same
branches.
"""

from typing import NewType

JobId = NewType("JobId", str)
BranchId = NewType("BranchId", str)

TRUNK = BranchId("0")
"""The organizer's own branch: every job has it from its first event."""


def child_of(parent: BranchId, ordinal: int) -> BranchId:
    """The id of the parent's `ordinal`-th child, counted from 1 over the whole life of the parent."""
    return BranchId(f"{parent}.{ordinal}")


def parent_of(branch: BranchId) -> BranchId | None:
    """The branch that forked this one, or None for the trunk."""
    head, _, _ = branch.rpartition(".")
    return BranchId(head) if head else None


def depth_of(branch: BranchId) -> int:
    """How many forks lie between the trunk (0) and this branch."""
    return branch.count(".")


def descends(branch: BranchId, ancestor: BranchId) -> bool:
    """Whether `branch` is `ancestor` itself or lies below it."""
    return branch == ancestor or branch.startswith(f"{ancestor}.")


def by_path(branch: BranchId) -> tuple[int, ...]:
    """Sort key that puts 0.2 before 0.10."""
    return tuple(int(part) for part in branch.split("."))
