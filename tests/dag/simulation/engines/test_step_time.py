"""How long steps take, and how many are done after a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.simulation.engines.step_time import Pace, StepTime

SECONDS = st.floats(1e-4, 1.0)


def test_between_measured_batches_lines_are_drawn_and_beyond_them_they_go_on() -> None:
    step = StepTime(points=((1, 0.010), (9, 0.018), (17, 0.034)))
    assert [step.of_batch(batch) for batch in (1, 5, 9, 13, 17, 25)] == pytest.approx(
        [0.010, 0.014, 0.018, 0.026, 0.034, 0.050]
    )


def test_of_one_measured_batch_every_batch_takes_the_same() -> None:
    assert StepTime(points=((4, 0.01),)).of_batch(100) == 0.01


@given(first=SECONDS, growth=st.floats(0.0, 1e-3), steps=st.integers(0, 500))
def test_a_run_of_steps_takes_the_sum_of_its_steps_and_is_read_back(
    first: float, growth: float, steps: int
) -> None:
    pace = Pace(first, growth)
    assert pace.seconds(steps) == pytest.approx(sum(first + growth * n for n in range(steps)))
    assert pace.steps(pace.seconds(steps)) == steps
    assert pace.steps(pace.seconds(steps) + first / 2) == steps
