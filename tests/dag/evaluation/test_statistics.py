"""Intervals and tests, against published values and against SciPy's (computed once, with scipy 1.17.1)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.dag.evaluation.statistics import FEW, Interval, interval_of_mean, mcnemar, wilson

# scipy.stats.binomtest(k, n).proportion_ci(method="wilson"), to eight places
WILSON = [
    (0, 10, 0.0, 0.27753280),
    (1, 10, 0.01787621, 0.40415003),
    (5, 10, 0.23659309, 0.76340691),
    (10, 10, 0.72246720, 1.0),
    (81, 263, 0.25528852, 0.36620958),  # Newcombe (1998): 0.2553 to 0.3662
    (15, 148, 0.0623864, 0.16048724),  # Newcombe (1998): 0.0624 to 0.1605
]


@pytest.mark.parametrize(("right", "n", "low", "high"), WILSON)
def test_the_interval_of_a_share_is_wilsons(right: int, n: int, low: float, high: float) -> None:
    found = wilson(right, n)
    assert found.low == pytest.approx(low, abs=1e-7)
    assert found.high == pytest.approx(high, abs=1e-7)


@given(st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval(found: tuple[int, int]) -> None:
    right, n = found
    interval = wilson(right, n)
    assert 0.0 <= interval.low <= (right / n if n else 0.5) <= interval.high <= 1.0
    assert wilson(n - right, n).low == pytest.approx(1 - interval.high)


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)


# the p-value of scipy.stats.binomtest, of the smaller number among both
MCNEMAR = [(0, 0, 1.0), (0, 1, 1.0), (0, 5, 0.0625), (1, 8, 0.0390625), (5, 15, 0.04138947), (10, 10, 1.0)]


@pytest.mark.parametrize(("lost", "gained", "p"), MCNEMAR)
def test_mcnemar_is_exact(lost: int, gained: int, p: float) -> None:
    assert mcnemar(lost, gained) == mcnemar(gained, lost) == pytest.approx(p, abs=1e-8)


def test_mcnemar_takes_any_number_of_pairs() -> None:
    assert mcnemar(0, 5000) == 0.0
    assert mcnemar(2500, 2500) == 1.0


def test_the_interval_of_a_mean_is_the_same_for_the_same_seed() -> None:
    steps = [1.0, 0.0, 0.0, -1.0, 1.0, 0.0, 1.0, 0.0]
    assert interval_of_mean(steps, 7) == interval_of_mean(steps, 7)
    assert interval_of_mean(steps, 7) != interval_of_mean([*steps, 0.5], 7)
    assert interval_of_mean(steps, 0) == Interval(-0.25, 0.75)  # as scipy.stats.bootstrap's percentiles
    assert interval_of_mean(steps, 2) == Interval(-0.25, 0.625)
    assert interval_of_mean([], 1) == Interval(0.0, 0.0)


@settings(max_examples=15)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12), st.integers(0, 2**64))
def test_it_lies_within_what_was_observed(steps: list[float], seed: int) -> None:
    found = interval_of_mean(steps, seed)
    assert min(steps) - 1e-6 <= found.low <= found.high <= max(steps) + 1e-6


def test_the_bootstrap_and_the_normal_interval_meet() -> None:
    steps = [float(number % 3 - 1) for number in range(FEW)]
    few, many = interval_of_mean(steps, 3), interval_of_mean([*steps, 0.0], 3)
    assert few.low == pytest.approx(many.low, abs=0.02)
    assert few.high == pytest.approx(many.high, abs=0.02)
