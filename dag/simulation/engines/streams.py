"""Holds what a simulated replica knows of each decode, and lets those that wait take turns."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from anabranch.dag.decoding import Decoded
from anabranch.dag.simulation.models.outputs import Cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """When a segment passed which stage. None: not yet, or never."""

    submitted: float
    scheduled: float | None = None
    first_token: float | None = None
    finished: float | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Stream:
    """One decode on a replica."""

    job: int
    cuts: tuple[Cut, ...]
    prompt: int
    """Tokens of its prompt."""
    cached: int
    """Of them, those that need not be computed."""
    deliver: Callable[[Decoded, Stages], None]
    """Told each segment, and when it passed which stage."""
    stages: Stages
    priority: int = 5
    next: int = 0
    """The cut that comes next."""
    told: int = 0
    """Tokens of the segments that were delivered."""
    written: int = 0
    """Tokens before it was last admitted."""
    left: int = 0
    """Prompt tokens that are still to be computed."""
    base: int = 0
    """The step of the replica after which it would have had no token."""
    ticket: int = -1
    """Names its stay in the batch; -1: it is not in it."""
    booked: bool = False
    """Its prompt was told with a segment."""
    over: bool = False


class Turns:
    """Who waits for a place: lower `priority` first, and within it the jobs take turns (start-time fair queueing)."""

    def __init__(self) -> None:
        self._line: list[tuple[int, int, int, Stream]] = []
        self._numbered: dict[int, int] = {}
        self._round = self._count = 0

    def __bool__(self) -> bool:
        while self._line and self._line[0][3].over:
            heapq.heappop(self._line)
        return bool(self._line)

    def put(self, stream: Stream) -> None:
        number = self._numbered[stream.job] = max(self._numbered.get(stream.job, 0) + 1, self._round)
        self._push(stream.priority, number, stream)

    def put_first(self, stream: Stream) -> None:
        """Whoever has lost its place is next."""
        self._push(-1, -self._count, stream)

    def first(self) -> Stream:
        return self._line[0][3]

    def pop(self) -> Stream:
        priority, number, _, stream = heapq.heappop(self._line)
        if priority >= 0:
            self._round = number
            if self._numbered.get(stream.job) == number:
                del self._numbered[stream.job]
        return stream

    def _push(self, priority: int, number: int, stream: Stream) -> None:
        self._count += 1
        heapq.heappush(self._line, (priority, number, self._count, stream))
