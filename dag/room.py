"""Rules how many decodes a pool may run at once, so that further branches slow nobody by more than was allowed.

**Slack.** All streams of a batch share its steps, so a branch that is decoded beside others slows them: its
*externality* (Gandhi, Hari, Dally, Kozyrakis: Regulating Branch Parallelism in LLM Serving, 2026, arXiv 2605.06914, who
name the rule TAPER). The first stream of each job is never kept waiting; a further one is opportunistic: it is admitted
while the predicted step takes at most `slowdown` times as long as that of a stream alone. So on an idle pool a job is
as wide as steps stay short, and on a busy one it hardly forks. The paper spends each request's slack to a deadline per
token; here one ratio says that for all.

Pure: whoever asks brings the load and the step time, an organizer's as learned or a simulation's as described.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

Step = Callable[[float], float]
"""Seconds of a step with so many streams on one replica. It never falls with their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """What a pool decodes now."""

    streams: int
    capacity: int
    """Streams that all replicas together take at once."""
    replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFit:
    """A step's time as learned from the streams themselves: a line over their number."""

    fixed: float = 0.0
    """Seconds, however many there are."""
    per_stream: float = 0.0
    known: float = 1.0
    """Streams on one replica up to which it was measured. What twice as many would take is not guessed."""

    def __call__(self, streams: float) -> float:
        return inf if streams > 2 * self.known else self.fixed + self.per_stream * streams


NOTHING_LEARNED = StepFit()
"""Two streams on a replica are a beginning: what they take is known soon."""


def most_streams(load: Streams, step: Step, slowdown: float) -> int:
    """Streams that may run at once before a further one would be too many."""
    bound = slowdown * step(1.0)
    return bisect_right(
        range(1, load.capacity + 1), bound, key=lambda streams: step(max(1.0, streams / load.replicas))
    )


def width(load: Streams, running: int, step: Step, slowdown: float) -> int:
    """Decodes that one job may run at once, of which `running` run already: these, and those for which there is slack
    left. At least 1."""
    further = most_streams(load, step, slowdown) - load.streams if load.replicas else 0
    return max(1, running + max(0, further))
