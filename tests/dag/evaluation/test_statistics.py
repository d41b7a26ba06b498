"""Intervals and tests, against published values and against SciPy's (computed once, with scipy 1.17.1)."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anabranch.dag.evaluation import statistics
from anabranch.dag.evaluation.statistics import (
    FEW,
    Interval,
    clustered_wilson,
    interval_of_mean,
    mcnemar,
    sign_flips,
    wilson,
)

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


CLUSTERS = st.integers(1, 4).flatmap(
    lambda size: st.lists(st.lists(st.booleans(), min_size=size, max_size=size), min_size=1, max_size=12)
)


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_observations_that_are_alone_have_wilsons_interval(told: list[bool]) -> None:
    found, plain = clustered_wilson([[one] for one in told]), wilson(sum(told), len(told))
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


@given(CLUSTERS)
def test_repeats_are_worth_something_between_nothing_and_new_tasks(clusters: list[list[bool]]) -> None:
    """The interval of the clusters lies between that of so many independent trials and that of so many tasks."""
    found = clustered_wilson(clusters)
    trials, right, size = sum(map(len, clusters)), sum(map(sum, clusters)), len(clusters[0])
    narrow = wilson(right, trials)
    assert found.low <= narrow.low + 1e-9
    assert narrow.high <= found.high + 1e-9
    assert found.high - found.low <= (narrow.high - narrow.low) * size**0.5 + 1e-9 or right in (0, trials)


def test_repeats_that_are_all_alike_tell_no_more_than_one() -> None:
    found = clustered_wilson([[True] * 5, [False] * 5, [True] * 5, [True] * 5])
    assert (found.low, found.high) == pytest.approx((wilson(3, 4).low, wilson(3, 4).high))
    assert clustered_wilson([[True, True], [True, True]]) == wilson(2, 2)
    assert clustered_wilson([]) == wilson(0, 0)


@given(st.lists(st.integers(-3, 3), max_size=9))
def test_sign_flips_count_all_signs(differences: list[int]) -> None:
    flips = list(itertools.product((-1, 1), repeat=len(differences)))
    sums = [abs(sum(sign * each for sign, each in zip(signs, differences, strict=True))) for signs in flips]
    p = sum(found >= abs(sum(differences)) for found in sums) / len(flips)
    assert sign_flips(differences) == pytest.approx(p)


@given(st.lists(st.integers(-1, 1), max_size=60))
def test_sign_flips_of_single_trials_are_mcnemars_test(differences: list[int]) -> None:
    assert sign_flips(differences) == mcnemar(differences.count(1), differences.count(-1))


def test_the_exact_test_and_the_normal_curve_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = [1, 2, -1, -2] * 30 + [2, 1, 2, 1, 2, 1]
    exact = sign_flips(differences)
    monkeypatch.setattr(statistics, "MOST_STEPS", 0)
    assert 0.0 < sign_flips(differences) < 1.0
    assert exact == pytest.approx(sign_flips(differences), abs=0.06)  # sums of a few values: steps
