"""Selects nodes by upper confidence bounds on trees (UCT, Kocsis and Szepesvári 2006), with virtual loss (Chaslot et
al. 2008).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from anabranch.dag.ids import BranchId
from anabranch.dag.policies.trees.partial_solution import Node


@dataclass(slots=True, eq=False)
class Place:
    """A node of the search tree, and the one rollout that began with it."""

    parent: "Place | None" = None
    node: Node | None = None
    """None until its step is written, and for good if that failed."""
    children: list["Place"] = field(default_factory=list)
    branches: tuple[BranchId, ...] = ()
    """Its step, its rollout, its judge."""
    visits: int = 0
    """Rollouts from here on. One in flight counts already, as if it were worth nothing: that is virtual loss."""
    worth: float = 0.0
    value: float = 0.0
    solution: str = ""

    def up(self) -> Iterator["Place"]:
        """This place and all above it."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.parent


def select(place: Place, branching: int, depth: int, exploration: float) -> Place | None:
    """Where to expand next: the best place below this one that may have another child. None while there is none."""
    if place.node is None or place.node.final or len(place.node.texts) >= depth:
        return None
    if len(place.children) < branching:
        return place
    total = math.log(max(place.visits, 1))

    def uct(child: Place) -> float:
        visits = max(child.visits, 1)
        return child.worth / visits + exploration * math.sqrt(total / visits)

    ranked = sorted(place.children, key=uct, reverse=True)  # stable: of equals the oldest
    found = (select(child, branching, depth, exploration) for child in ranked)
    return next((each for each in found if each is not None), None)
