"""Measures how sure a model is while it writes, and says when it is too unsure to go on.

DeepConf (Fu et al., arXiv 2508.15260, section 2). The confidence of a token is the negative mean of the logprobs of the
likeliest tokens at its place: high where one of them is far ahead. A *group* is so many tokens in a row; it slides by
one token. The confidence of a text is the mean of its tokens, its lowest group tells of its worst stretch. The replica
measures, next to the tokens; what it found is in the journal with the segment, so a replay never measures again.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from anabranch.dag.decoding.logprobs import DIGITS, TokenLogprob

SUREST = 100.0
"""No token counts for more: beside one that alone can come, others have no logprob to speak of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceRule:
    """What is measured of a decode, and when it is stopped."""

    likeliest: int = 20
    """How many tokens at each place are looked at."""
    group: int = 2048
    """Tokens of a group."""
    least: float | None = None
    """The decode is stopped once a whole group is below this. None: it only measures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """What was measured of one segment, from the beginning of its decode."""

    mean: float
    lowest: float
    """Of all groups; of a text that is shorter than one, its mean."""
    tokens: int
    """How many were measured: thoughts too, and none whose alternatives the engine did not tell."""


@dataclass(slots=True, kw_only=True)
class ConfidenceMeter:
    """Fed the tokens of one decode; costs each of them once."""

    rule: ConfidenceRule
    stopped: bool = False
    """A group was below the least."""
    _group: deque[float] = field(default_factory=deque)
    _sum: float = 0.0
    """Of the group."""
    _total: float = 0.0
    _count: int = 0
    _lowest: float | None = None

    def feed(self, tokens: Iterable[TokenLogprob]) -> None:
        for token in tokens:
            likely = [each.logprob for each in token.top[: self.rule.likeliest]]
            if likely and not self.stopped:
                self._take(min(SUREST, -sum(likely) / len(likely)))

    def measured(self) -> Confidence | None:
        """None where the engine told nothing."""
        if not self._count:
            return None
        mean = self._total / self._count
        lowest = mean if self._lowest is None else self._lowest
        return Confidence(mean=round(mean, DIGITS), lowest=round(lowest, DIGITS), tokens=self._count)

    def _take(self, sure: float) -> None:
        self._count += 1
        self._total += sure
        self._group.append(sure)
        self._sum += sure
        if len(self._group) > self.rule.group:
            self._sum -= self._group.popleft()
        if len(self._group) == self.rule.group:
            mean = self._sum / self.rule.group
            self._lowest = mean if self._lowest is None else min(self._lowest, mean)
            self.stopped = self.rule.least is not None and mean < self.rule.least
