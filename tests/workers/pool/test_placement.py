"""Who gets which request: prefixes stay together, load stays even, and every organizer decides alike."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.workers.conftest import RequestFor

from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.placement import TOLERANCE, Placement


def counts(placed: Mapping[str, Sequence[DecodeRequest]]) -> dict[str, int]:
    return {replica: len(requests) for replica, requests in placed.items()}


def fork(request_for: RequestFor, width: int, affinity: str = "", start: int = 1) -> list[DecodeRequest]:
    return [request_for(f"0.{n}", affinity=affinity) for n in range(start, start + width)]


def test_a_wide_fork_spreads_over_all_replicas(request_for: RequestFor) -> None:
    placed = Placement().place(fork(request_for, 16), {"a": 0, "b": 0, "c": 0, "d": 0})
    assert counts(placed) == {"a": 4, "b": 4, "c": 4, "d": 4}


def test_a_wide_fork_of_one_prefix_spreads_too(request_for: RequestFor) -> None:
    placed = Placement().place(fork(request_for, 16, "job-1"), {"a": 0, "b": 0})
    assert sorted(counts(placed).values()) == [(16 - TOLERANCE) // 2, (16 + TOLERANCE) // 2]


def test_a_narrow_fork_stays_with_its_prefix(request_for: RequestFor) -> None:
    placement = Placement()
    ((home, _),) = placement.place([request_for("0", affinity="job-1")], {"a": 0, "b": 0}).items()

    assert set(placement.place(fork(request_for, TOLERANCE, "job-1"), {"a": 0, "b": 0})) == {home}


def test_a_prefix_leaves_a_replica_that_is_overloaded_and_comes_back(request_for: RequestFor) -> None:
    placement = Placement()
    ((home, _),) = placement.place([request_for("0", affinity="job-1")], {"a": 0, "b": 0}).items()
    (other,) = {"a", "b"} - {home}
    child = [request_for("0.1", affinity="job-1")]

    assert set(placement.place(child, {home: TOLERANCE + 1, other: 0})) == {other}
    assert set(placement.place(child, {home: 1, other: 0})) == {home}


@pytest.mark.parametrize("tolerance", [0, 1, TOLERANCE])
def test_a_home_may_exceed_the_least_loaded_by_the_tolerance_and_not_by_one_more(
    request_for: RequestFor, tolerance: int
) -> None:
    placement = Placement(tolerance=tolerance)
    ((home, _),) = placement.place([request_for("0", affinity="job-1")], {"a": 0, "b": 0}).items()
    (other,) = {"a", "b"} - {home}
    child = [request_for("0.1", affinity="job-1")]

    assert set(placement.place(child, {home: 7 + tolerance, other: 7})) == {home}
    assert set(placement.place(child, {home: 7 + tolerance + 1, other: 7})) == {other}


def test_who_helped_out_does_not_become_the_home(request_for: RequestFor) -> None:
    placement = Placement()
    ((home, _),) = placement.place([request_for("0", affinity="job-1")], {"a": 0, "b": 0}).items()
    (other,) = {"a", "b"} - {home}
    child = [request_for("0.1", affinity="job-1")]

    assert set(placement.place(child, {home: 50, other: 0})) == {other}
    assert set(placement.place(child, {home: TOLERANCE, other: 0})) == {home}


def test_a_prefix_whose_replica_is_gone_finds_a_new_home(request_for: RequestFor) -> None:
    placement = Placement()
    ((home, _),) = placement.place([request_for("0", affinity="job-1")], {"a": 0, "b": 0}).items()
    (other,) = {"a", "b"} - {home}
    child = [request_for("0.1", affinity="job-1")]

    assert set(placement.place(child, {other: 3})) == {other}
    assert set(placement.place(child, {other: 3, "c": 0})) == {other}


def test_different_prefixes_go_to_the_least_loaded(request_for: RequestFor) -> None:
    requests = [request_for(f"0.{n}", affinity=f"job-{n}") for n in range(6)]
    assert counts(Placement().place(requests, {"a": 4, "b": 1, "c": 1})) == {"b": 3, "c": 3}


def test_a_restarted_organizer_finds_the_prefix_again(request_for: RequestFor) -> None:
    request = [request_for("0", affinity="job-7")]
    loads = {"a": 0, "b": 0, "c": 0}
    assert Placement().place(request, loads).keys() == Placement().place(request, loads).keys()


def test_the_prefix_that_was_asked_for_least_recently_is_forgotten_first(request_for: RequestFor) -> None:
    placement = Placement(remembered=2)
    only_a, rather_b = {"a": 0}, {"a": 1, "b": 0}
    for n in (0, 1, 0, 2):
        placement.place([request_for("0", affinity=f"job-{n}")], only_a)

    assert set(placement.place([request_for("0", affinity="job-0")], rather_b)) == {"a"}
    assert set(placement.place([request_for("0", affinity="job-1")], rather_b)) == {"b"}


@given(
    affinities=st.lists(st.sampled_from(["", "x", "y", "z"]), min_size=1, max_size=40),
    loads=st.dictionaries(st.sampled_from("abcd"), st.integers(0, 30), min_size=1),
)
def test_every_request_is_placed_once_and_no_replica_is_piled_upon(
    request_for: RequestFor, affinities: list[str], loads: dict[str, int]
) -> None:
    """Given any requests and loads, each is placed once, and only on a replica within the tolerance of the least."""
    requests = [request_for(f"0.{n}", affinity=affinity) for n, affinity in enumerate(affinities)]
    placed = Placement().place(requests, loads)
    after = {replica: load + len(placed.get(replica, ())) for replica, load in loads.items()}

    assert sorted(r.key.branch for of in placed.values() for r in of) == sorted(
        r.key.branch for r in requests
    )
    assert all(after[replica] <= min(after.values()) + TOLERANCE + 1 for replica in placed)
