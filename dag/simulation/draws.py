"""Draws numbers by name: the same name gives the same number, whatever else is drawn.

So a run is a function of its seed, and two runs that differ in one thing (replicas, width) ask the same questions with
the same lengths: their difference is that thing's doing (common random numbers).
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, log
from statistics import NormalDist
from typing import Literal

_NORMAL = NormalDist()


def uniform(*name: object) -> float:
    """A number in (0, 1) for this name."""
    digest = hashlib.blake2b("/".join(map(str, name)).encode(), digest_size=8).digest()
    return ((int.from_bytes(digest) >> 12) + 0.5) / 2.0**52


def choose(weights: Sequence[float], at: float) -> int:
    """The place in weights, of which not all are 0, where this share of their sum lies."""
    sums = list(accumulate(weights))
    return min(bisect_right(sums, at * sums[-1]), len(sums) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """A distribution of lengths in tokens; none is below 1."""

    kind: Literal["constant", "uniform", "exponential", "lognormal", "values"]
    numbers: tuple[float, ...]
    """The length; the least and the most; the mean; the median and sigma of the logarithm; the values themselves."""

    def at(self, share: float) -> int:
        """The length below which this share of all lies."""
        a = self.numbers[0]
        match self.kind:
            case "constant":
                length = a
            case "uniform":
                length = a + (self.numbers[1] - a) * share
            case "exponential":
                length = -a * log(1 - share)
            case "lognormal":
                length = a * exp(self.numbers[1] * _NORMAL.inv_cdf(share))
            case "values":
                length = sorted(self.numbers)[int(share * len(self.numbers))]
        return max(1, round(length))
