"""Concurrency by its definition, step by step; blocked time; against the worked example of protocols.md section 1.3."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dag.conftest import Simulate, words, written
from tests.dag.policies.test_async_think import TRAINED, paper_example

from anabranch.dag.analysis.concurrency import blocked_seconds, concurrency
from anabranch.dag.analysis.graph import build
from anabranch.dag.analysis.metrics import longest_path, measure, total_tokens
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say


def test_the_worked_example(simulate: Simulate) -> None:
    """eta = P = 1.686, and 0.562 of the three agents: nothing runs after T."""
    simulation = simulate("async-think", paper_example(), params=TRAINED)
    eta = concurrency(build(simulation.records))
    assert eta == pytest.approx(295 / 175)
    assert eta == pytest.approx(measure(simulation.records).parallelism)
    assert eta / 3 == pytest.approx(0.562, abs=5e-4)


def test_the_organizer_counts_only_while_it_decodes(simulate: Simulate) -> None:
    """Fork, then join at once: nothing overlaps, and the published floor is eta = 1."""
    script = {
        "0": [words(10, "<FORK-1>a</FORK-1><JOIN-1>"), "<ANSWER>x</ANSWER>"],
        "0.1": words(50, "<RETURN>r</RETURN>"),
    }
    simulation = simulate("async-think", script, params=TRAINED)
    assert concurrency(build(simulation.records)) == 1


def test_what_is_decoded_after_t_counts_for_l_alone(simulate: Simulate) -> None:
    """A loser on a faster replica: in the first 10 steps two are active; its other 70 tokens are beyond T."""
    simulation = simulate(
        "self-consistency",
        {"0.1": words(10, "7"), "0.2": words(200)},
        params={"n": 2, "stop": "first"},
        pace_of=lambda decode: 1.0 if decode.branch == "0.1" else 0.125,
    )
    graph = build(simulation.records)
    assert (longest_path(graph)[0], total_tokens(graph)) == (10, 90)
    assert concurrency(graph) == 2
    assert measure(simulation.records).parallelism == 9


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 20))
def test_it_is_the_mean_number_of_active_branches_step_by_step(lengths: list[int], summary: int) -> None:
    script = {f"0.{i}": words(length) for i, length in enumerate(lengths, 1)} | {
        f"0.{len(lengths) + 1}": words(summary)
    }
    spec = JobSpec(
        messages=(say("user", "q"),),
        policy="para-thinker",
        params={"paths": len(lengths), "stop": "all"},
        sampling=Sampling(max_tokens=99),
    )
    simulation = Simulation(spec, written(script))
    graph = build(simulation.run())
    longest = max(lengths)
    active = [sum(length > step for length in lengths) for step in range(longest)] + [1] * summary
    assert concurrency(graph) == pytest.approx(sum(active) / len(active))


def test_an_empty_job_has_a_concurrency_of_one() -> None:
    assert concurrency(build([])) == 1


def test_blocked_is_from_asking_to_having(simulate: Simulate) -> None:
    """The organizer waits from 100 to 130 for worker 1, and not at all for worker 2, which has ended at 130."""
    simulation = simulate("async-think", paper_example(), params=TRAINED)
    assert blocked_seconds(simulation.records) == {"0": 30}


def test_a_join_that_is_still_open_is_not_counted(simulate: Simulate) -> None:
    simulation = simulate("async-think", paper_example(), params=TRAINED)
    asked = next(i for i, r in enumerate(simulation.records) if type(r.event).__name__ == "JoinRequested")
    assert blocked_seconds(simulation.records[: asked + 1]) == {}
