"""Further branches are admitted while steps stay as short as was allowed; one branch of each job always is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch.dag.room import Streams, most_streams, width


def step(streams: float) -> float:
    """20 ms, and 1 ms more for each stream."""
    return 0.02 + 0.001 * (streams - 1)


@pytest.mark.parametrize(
    ("slowdown", "most"), [(1.0, 1), (1.25, 6), (1.5, 11), (2.0, 21), (9.0, 64)], ids=str
)
def test_so_many_streams_run_as_steps_may_take_longer(slowdown: float, most: int) -> None:
    load = Streams(streams=1, capacity=64)
    assert most_streams(load, step, slowdown) == most


def test_replicas_share_the_streams() -> None:
    load = Streams(streams=1, capacity=256, replicas=4)
    assert most_streams(load, step, 1.25) == 24


@pytest.mark.parametrize(
    ("streams", "running", "wide"), [(1, 1, 6), (4, 1, 3), (6, 3, 3), (20, 1, 1), (20, 0, 1)]
)
def test_a_job_is_as_wide_as_others_leave_room(streams: int, running: int, wide: int) -> None:
    load = Streams(streams=streams, capacity=64)
    assert width(load, running, step, 1.25) == wide


def test_a_pool_without_a_replica_has_room_for_the_first_branch() -> None:
    load = Streams(streams=1, capacity=0, replicas=0)
    assert width(load, 1, step, 2.0) == 1


@given(
    streams=st.integers(0, 300),
    running=st.integers(0, 300),
    capacity=st.integers(0, 300),
    replicas=st.integers(0, 5),
    slowdown=st.floats(1.0, 5.0),
)
def test_nobody_is_admitted_beyond_the_bound(
    streams: int, running: int, capacity: int, replicas: int, slowdown: float
) -> None:
    running = min(running, streams)
    load = Streams(streams=streams, capacity=capacity, replicas=replicas)
    wide = width(load, running, step, slowdown)
    assert wide >= max(1, running)
    if wide > max(1, running):
        after = streams + wide - running
        assert after <= capacity
        assert step(max(1.0, after / replicas)) <= slowdown * step(1.0)
