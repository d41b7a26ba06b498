"""Models how long one step of an engine takes.

A step of continuous batching gives each running sequence one token, and computes some prompt tokens of those that
begin. Its time is modelled as

    seconds = batch(B) + c * C + d * F

with B sequences in the step, C tokens in their contexts (attention reads all keys and values), and F prompt tokens
computed. batch(B) is a line, or a table of measured points with lines between them.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """The parameters, in seconds."""

    points: tuple[tuple[int, float], ...]
    """Batch sizes, ascending, each with the seconds of a step. Between and beyond them lines are drawn; of one point,
    every batch takes the same."""
    per_context_token: float = 0.0
    per_prefill_token: float = 0.0

    def of_batch(self, batch: float) -> float:
        """Seconds of a step, contexts and prompts left out."""
        sizes = [size for size, _ in self.points]
        if len(sizes) == 1:
            return self.points[0][1]
        behind = min(max(1, bisect_left(sizes, batch)), len(sizes) - 1)
        (left, low), (right, high) = self.points[behind - 1], self.points[behind]
        return max(0.0, low + (high - low) * (batch - left) / (right - left))


@dataclass(frozen=True, slots=True)
class Pace:
    """Consecutive steps of one batch that only decodes: each step is longer than the last by the tokens it added."""

    first: float
    """Seconds of the first step."""
    growth: float
    """Seconds by which each step exceeds the one before."""

    def seconds(self, steps: int) -> float:
        """How long so many steps take: an arithmetic series, so a thousand steps cost what one does."""
        return steps * self.first + self.growth * steps * (steps - 1) / 2

    def steps(self, seconds: float) -> int:
        """How many whole steps are done after so many seconds."""
        half = self.growth / 2
        linear = self.first - half
        if half:
            done = int((sqrt(linear * linear + 4 * half * seconds) - linear) / (2 * half))
        else:
            done = int(seconds / self.first) if self.first else 0
        while done and self.seconds(done) > seconds:  # roots are not exact
            done -= 1
        while self.first and self.seconds(done + 1) <= seconds:
            done += 1
        return done
