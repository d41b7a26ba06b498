"""Tells how sure a comparison is: intervals and tests for few, paired, yes-or-no observations."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import NormalDist, fmean, stdev

LEVEL = 0.95
RESAMPLES = 2000
MOST_STEPS = 400_000
"""Work up to which a test by sign flips is exact: the number of differences times their sum."""
FEW = 200
"""Observations up to which a mean's interval is bootstrapped; beyond, it is as good as normal."""


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


def wilson(successes: int, trials: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval of a share (JASA 22, 1927): honest also for few trials, and at 0 and 1.

    Without trials it is all of 0 to 1. Raises ValueError for more successes than trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials}")
    return _wilson(successes / trials, trials, level) if trials else Interval(0.0, 1.0)


def clustered_wilson(clusters: Sequence[Sequence[bool]], level: float = LEVEL) -> Interval:
    """The same where observations come in clusters, as repeats of one task do: Wilson's interval for as many
    independent observations as they are worth (Korn and Graubard, Survey Methodology 24, 1998).

    The design effect is the variance of the share between clusters over that of independent observations. It is taken
    to lie between 1 (repeats are as good as new tasks) and the mean size of a cluster (they tell nothing new); where
    all observations are alike, nothing tells, and it is the latter. Clusters must not be empty.
    """
    trials = sum(map(len, clusters))
    if not trials:
        return Interval(0.0, 1.0)
    share, most = sum(map(sum, clusters)) / trials, trials / len(clusters)
    alone = share * (1 - share) / trials
    effect = most
    if alone and len(clusters) > 1:
        rests = sum((sum(cluster) - share * len(cluster)) ** 2 for cluster in clusters)
        between = rests * len(clusters) / (len(clusters) - 1) / trials**2
        effect = min(most, max(1.0, between / alone))
    return _wilson(share, trials / effect, level)


def _wilson(share: float, trials: float, level: float) -> Interval:
    z = NormalDist().inv_cdf(0.5 + level / 2)
    spread = z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    low = 0.0 if share == 0 else max(0.0, centre - half)
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return Interval(low, high)


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test (Psychometrika 12, 1947): of the pairs in which just one is right,
    how often a fair coin would lie at least so far from the middle. 1.0 without such pairs.
    """
    n, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(fewer + 1))
    return min(1.0, float(Fraction(2 * tail, 2**n)))


def sign_flips(differences: Sequence[int]) -> float:
    """The two-sided p-value of Fisher's randomisation test of paired differences (The Design of Experiments, 1935,
    section 21): how often their sum would lie at least so far from 0 if each one's sign were a coin's. For differences
    of -1, 0 and 1 it is McNemar's exact test. Exact where few, or small; else by the normal curve. 1.0 of nothing.
    """
    weights = [abs(difference) for difference in differences if difference]
    if len(set(weights)) <= 1:
        return mcnemar(
            sum(difference > 0 for difference in differences),
            sum(difference < 0 for difference in differences),
        )
    seen, whole = abs(sum(differences)), sum(weights)
    if whole * len(weights) > MOST_STEPS:
        deviation = math.sqrt(sum(weight * weight for weight in weights))
        return min(1.0, 2 * (1 - NormalDist().cdf(seen / deviation)))
    ways = [1] + [0] * whole
    """By how much was given to the positive side: in how many ways."""
    for weight in weights:
        ways = [count + (ways[given - weight] if given >= weight else 0) for given, count in enumerate(ways)]
    far = sum(count for given, count in enumerate(ways) if abs(2 * given - whole) >= seen)
    return float(Fraction(far, 2 ** len(weights)))


def interval_of_mean(differences: Sequence[float], seed: int, level: float = LEVEL) -> Interval:
    """The interval of a mean of paired differences: the bootstrap's percentiles (Efron and Tibshirani 1993, section
    13.3) for FEW of them, the normal one for more.

    The same differences and seed give the same interval on every machine. Of nothing it is 0 to 0.
    """
    if not differences:
        return Interval(0.0, 0.0)
    if len(differences) > FEW:
        centre = fmean(differences)
        half = NormalDist().inv_cdf(0.5 + level / 2) * stdev(differences) / math.sqrt(len(differences))
        return Interval(centre - half, centre + half)
    draws, n = _draws(seed, len(differences)), len(differences)
    means = sorted(fmean(differences[next(draws)] for _ in range(n)) for _ in range(RESAMPLES))
    cut = (1 - level) / 2
    return Interval(_quantile(means, cut), _quantile(means, 1 - cut))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Interpolated between the two nearest values."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


_WORD = 2**64 - 1


def _draws(seed: int, n: int) -> Iterator[int]:
    """Numbers from 0 to n - 1 by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    state = seed & _WORD
    while True:
        state = (state + 0x9E3779B97F4A7C15) & _WORD
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _WORD
        yield ((mixed ^ (mixed >> 31)) * n) >> 64
