"""Finds decodes that are late beside their siblings: branches of the same role below the same parent.

A decode is late when 95 % of its siblings that have ended took less time, and it also writes more slowly than 95 % of
them: one that merely writes more would be no sooner at its end elsewhere. One that has no first token is late once 95 %
of its siblings would have had theirs. Siblings say nothing before three of them have; nobody is late in its first
second. No clock is read here: whoever asks tells the time.
"""

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass, field
from math import ceil

from anabranch.dag import events as e
from anabranch.dag.decoding import Finish
from anabranch.dag.ids import BranchId

SHARE = 0.95
SIBLINGS = 3
"""So many must have ended, or begun to write, before their times say anything."""
LEAST_SECONDS = 1.0
FAILED = (Finish.ERROR, Finish.ABORT, Finish.INTERRUPTED)


@dataclass(slots=True)
class Times:
    """What the decodes of siblings took, in seconds, the shortest first: one look at so many is one look at one."""

    whole: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    pace: list[float] = field(default_factory=list)
    """Per token."""


@dataclass(slots=True)
class Awaited:
    """A decode that runs."""

    started: e.SegmentStarted
    since: float
    look_at: float = 0.0
    """Not before."""
    tokens: int = 0
    heard: bool = False


class Stragglers:
    """Fed a job's journal and the signs of its decodes, says which are late."""

    def __init__(self) -> None:
        self._group: dict[BranchId, tuple[BranchId, str]] = {}
        self._times: dict[tuple[BranchId, str], Times] = defaultdict(Times)
        self._awaited: dict[BranchId, Awaited] = {}
        self._delays: dict[BranchId, float] = {}

    def note(self, record: e.Record) -> None:
        """Reads in the journal when decodes begin and end."""
        at = record.at.timestamp()
        match record.event:
            case e.BranchForked(child=child, branch=parent, role=role):
                self._group[child] = (parent, role)
            case e.BranchRetried(branch=branch, delay=delay):
                self._delays[branch] = delay
            case e.SegmentStarted(branch=branch) as started if branch in self._group:
                self._awaited[branch] = Awaited(started, at + self._delays.pop(branch, 0.0))
            case e.SegmentFinished(branch=branch, decoded=decoded):
                awaited = self._awaited.pop(branch, None)
                if awaited is not None and decoded.finish not in FAILED:
                    self._learn(awaited, at, decoded.usage.completion_tokens)
            case e.SegmentHedged(branch=branch):
                self._awaited.pop(branch, None)
            case _:
                pass

    def heard(self, branch: BranchId, segment: int, tokens: int, now: float) -> None:
        """A piece of this segment's text has arrived."""
        awaited = self._awaited.get(branch)
        if awaited is None or awaited.started.segment != segment:
            return
        awaited.tokens = tokens
        if not awaited.heard:
            awaited.heard = True
            insort(self._times[self._group[branch]].first, now - awaited.since)

    def next_look(self) -> float | None:
        """When the next decode may be late, as things stand; None where none can be."""
        looks = (self._look(branch, awaited) for branch, awaited in self._awaited.items())
        return min((look for look in looks if look is not None), default=None)

    def late(self, now: float) -> list[e.SegmentHedged]:
        """Those that are late. One that is not decoded twice all the same, because the job may not have more decodes at
        once, say, is told again later."""
        found = []
        for branch, awaited in tuple(self._awaited.items()):
            look = self._look(branch, awaited)
            if look is None or look > now:
                continue
            usual = self._usual(branch, awaited)
            assert usual is not None
            awaited.look_at = now + max(LEAST_SECONDS, usual)
            if awaited.heard and not self._slow(branch, awaited, now):
                continue
            found.append(
                e.SegmentHedged(
                    branch=branch,
                    segment=awaited.started.segment,
                    attempt=awaited.started.attempt,
                    seconds=round(now - awaited.since, 3),
                    usual=round(usual, 3),
                    silent=not awaited.heard,
                )
            )
        return found

    def _learn(self, awaited: Awaited, now: float, tokens: int) -> None:
        times = self._times[self._group[awaited.started.branch]]
        seconds = now - awaited.since
        insort(times.whole, seconds)
        if tokens:
            insort(times.pace, seconds / tokens)
        if not awaited.heard:
            insort(times.first, seconds)

    def _usual(self, branch: BranchId, awaited: Awaited) -> float | None:
        """Seconds within which its siblings had ended or, where it has written nothing, begun to write."""
        times = self._times[self._group[branch]]
        whole = quantile(times.whole)
        return whole if awaited.heard else min(filter(None, (quantile(times.first), whole)), default=None)

    def _look(self, branch: BranchId, awaited: Awaited) -> float | None:
        usual = self._usual(branch, awaited)
        if usual is None:
            return None
        return max(awaited.look_at, awaited.since + max(LEAST_SECONDS, usual))

    def _slow(self, branch: BranchId, awaited: Awaited, now: float) -> bool:
        pace = quantile(self._times[self._group[branch]].pace)
        return pace is None or (now - awaited.since) > pace * awaited.tokens


def quantile(values: list[float]) -> float | None:
    """The value that a SHARE of these, which are in order, do not exceed; None where they are too few to say."""
    if len(values) < SIBLINGS:
        return None
    return values[ceil(SHARE * len(values)) - 1]
