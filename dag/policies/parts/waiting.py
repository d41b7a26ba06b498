"""Says how many branches a policy draws at once, and how long it waits for them: for all, for the first few, or until
a time is up.

Seconds count from the moment at which the policy first waits for these branches, across all its joins of them;
whoever has not ended then is left out, and is cancelled at the latest with the answer. A policy never looks at a
clock: that the time is up is a fact of the journal (`BranchesJoined.expired`).
"""

from collections.abc import Generator
from typing import Annotated, Any

from anabranch.dag.actions import Action, AskRoom, Cancel, Join, Joined, Mode, Room
from anabranch.dag.ids import BranchId
from anabranch.dag.policy import Param

Enough = Annotated[
    int, Param("results with which it goes on, the others are cancelled; 0: it waits for all", ge=0, le=1024)
]
Within = Annotated[
    float | None,
    Param("seconds after which it goes on with what has ended; none: no limit", ge=0.001, le=86400.0),
]


def join_within(
    targets: tuple[BranchId, ...], enough: int, within: float | None
) -> Generator[Action, Any, Joined]:
    """Joins all, the first so many, or those that end in time; what has not ended then is cancelled. Results come in
    the order of the targets where all are waited for, in that of their ends otherwise."""
    mode = Mode.FIRST_K if enough else Mode.ALL
    joined: Joined = yield Join(targets=targets, mode=mode, count=enough, seconds=within)
    if joined.pending:
        why = "its time is up" if joined.expired else "enough others have ended"
        yield Cancel(branches=joined.pending, reason=why)
    return joined


def room_for(least: int) -> Generator[Action, Any, int]:
    """As many branches as the pool has room for now without slowing other jobs; at least so many."""
    room: Room = yield AskRoom()
    return max(least, room.width)
