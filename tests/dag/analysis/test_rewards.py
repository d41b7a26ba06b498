"""Published rewards against the worked numbers of protocols.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.analysis import rewards

LONGEST, TOTAL = 354, 494
"""Section 2.3: 60 + 40 + 4 + 200 + 50, and 140 more."""


def test_the_acceleration_of_section_2_3() -> None:
    assert rewards.acceleration(LONGEST, TOTAL) == pytest.approx(0.283, abs=5e-4)
    assert rewards.acceleration(TOTAL, TOTAL) == 0
    assert rewards.acceleration(0, 0) == 0


def test_thread_weavers_bonus_by_the_papers_formula_and_by_the_released_code() -> None:
    """0.142 and 0.100 (section 2.3)."""
    assert rewards.thread_weaver(True, LONGEST, TOTAL) - 1 == pytest.approx(0.142, abs=5e-4)
    assert rewards.thread_weaver_released(True, LONGEST, TOTAL) - 1 == pytest.approx(0.100)


@pytest.mark.parametrize(
    ("eta", "paper", "released"), [(0, 1.0, 1.0), (0.2, 1.1, 1.1), (0.4, 1.2, 1.1), (0.9, 1.2, 1.1)]
)
def test_where_each_saturates(eta: float, paper: float, released: float) -> None:
    """The paper's at an acceleration of 0.4, the code's at 0.2."""
    assert rewards.thread_weaver(True, 100 - 100 * eta, 100) == pytest.approx(paper)
    assert rewards.thread_weaver_released(True, 100 - 100 * eta, 100) == pytest.approx(released)


def test_speed_pays_nothing_without_a_correct_answer() -> None:
    assert rewards.thread_weaver(False, 1, 1000) == 0
    assert rewards.thread_weaver_released(False, 1, 1000) == -1
    assert rewards.thread_weaver_released(False, 1, 1000, wrong=0.0) == 0


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=8))
def test_p_grpo_centres_and_does_not_scale(given_rewards: list[float]) -> None:
    advantages = rewards.p_grpo_advantages(given_rewards)
    assert sum(advantages) == pytest.approx(0, abs=1e-9)
    spread = max(given_rewards) - min(given_rewards)
    assert max(advantages) - min(advantages) == pytest.approx(spread)


def test_when_all_are_right_a_small_bonus_stays_small() -> None:
    """Section 2.4: with the standard deviation, these would be -1, 0 and 1.2."""
    assert rewards.p_grpo_advantages([1.10, 1.11, 1.12]) == pytest.approx((-0.01, 0, 0.01))
    assert rewards.p_grpo_advantages([]) == ()


@pytest.mark.parametrize(("correct", "required", "accuracy"), [(0, 1, 0), (1, 1, 1), (3, 4, 0.75), (6, 4, 1)])
def test_async_thinks_accuracy(correct: int, required: int, accuracy: float) -> None:
    assert rewards.async_think_accuracy(correct, required) == accuracy


def test_async_thinks_concurrency_of_the_worked_example() -> None:
    """Section 1.3: eta 1.686, c = 3, eta/c 0.562; clipped by tau."""
    eta = 295 / 175
    assert rewards.async_think_concurrency(eta, 3, tau=1.0) == pytest.approx(0.562, abs=5e-4)
    assert rewards.async_think_concurrency(eta, 3, tau=0.5) == 1
    assert rewards.async_think_concurrency(1, 3, tau=0.5) == pytest.approx(2 / 3)


def test_a_format_error_replaces_all_of_async_thinks_reward() -> None:
    assert rewards.async_think(1.0, 0.5, format_errors=0, weight=0.2, penalty=-1) == pytest.approx(1.1)
    assert rewards.async_think(1.0, 0.5, format_errors=1, weight=0.2, penalty=-1) == -1


def test_apr_pays_for_a_verified_answer_alone() -> None:
    assert (rewards.apr(True), rewards.apr(False)) == (1, 0)


@pytest.mark.parametrize(
    "senseless", [lambda: rewards.clip(1, 0), lambda: rewards.async_think_accuracy(1, 0)]
)
def test_what_makes_no_sense_is_refused(senseless: object) -> None:
    with pytest.raises(ValueError, match=r"nothing to reward|are required"):
        senseless()  # type: ignore[operator]
