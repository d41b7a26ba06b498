"""Forks and decodes: how deep, with which seed, and when a child may begin."""

import hashlib

import pytest
from tests.dag.conftest import Simulate
from tests.dag.journals import answer, check, of_kind

from anabranch.dag import actions as a
from anabranch.dag import events as e
from anabranch.dag.job import Budget, Problem


def inner() -> a.Policy:
    """Forks one child and tells whether it could."""
    forked: a.Forked = yield a.Fork(children=(a.Thought(label="leaf"),))
    yield a.Join(targets=forked.branches)
    return a.Answer(text=forked.rejected or "forked")


def nest(problem: Problem) -> a.Policy:
    forked: a.Forked = yield a.Fork(children=(a.SubPolicy(run=inner),))
    joined: a.Joined = yield a.Join(targets=forked.branches)
    return a.Answer(text=" ".join(result.value for result in joined.results) or forked.rejected)


@pytest.mark.parametrize(("depth", "told"), [(0, "budget:depth"), (1, "budget:depth"), (2, "forked")])
def test_a_budget_of_depth_counts_the_forks_above_a_branch(simulate: Simulate, depth: int, told: str) -> None:
    simulation = simulate(nest, {"0.1.1": "leaf"}, budget=Budget(depth=depth))
    assert answer(simulation).text == told
    assert len(of_kind(simulation, e.BranchForked)) == depth
    check(simulation)


@pytest.mark.parametrize("seed", [0, 7])
def test_a_seed_is_31_bits_of_a_digest_of_the_jobs_seed_and_the_branch(simulate: Simulate, seed: int) -> None:
    """Journals hold it: another way to find it would make all earlier ones diverge."""
    script = {f"0.{number}": "7" for number in (1, 2, 3)}
    params = {"n": 3, "stop": "all"}
    simulation = simulate("self-consistency", script, seed=seed, params=params)
    for event in of_kind(simulation, e.SegmentStarted):
        digest = hashlib.sha256(f"{seed}/{event.branch}".encode()).hexdigest()
        assert event.seed == int(digest[:8], 16) // 2
    assert len({event.seed for event in of_kind(simulation, e.SegmentStarted)}) == 3
