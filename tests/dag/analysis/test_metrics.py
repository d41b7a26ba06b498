"""T, L, P, makespan, waste, slack: against brute force, the paper's recurrence, and hand-computed examples."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dag.conftest import Simulate, Written, words

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import ReasoningGraph, build, find_cycle
from anabranch.dag.analysis.metrics import longest_path, makespan, measure, slack, total_tokens, waste_tokens
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.text import say


def brute_force(graph: ReasoningGraph) -> int:
    """Every path to the answer, one by one."""

    def heaviest(name: str) -> int:
        return graph.node(name).tokens + max((heaviest(p) for p in graph.predecessors(name)), default=0)

    return heaviest("answer")


def organizer(fragments: list[tuple[int, int, int]]) -> tuple[dict[str, Written], int]:
    """An AsyncThink run that forks all its workers first and then joins each: its script, and T by the recurrence
    l_i = max(l_(i-1) + f_i, l_(j-1) + f_j(before k) + w_k)."""
    forks = " ".join(
        words(before, f"<FORK-{i}>q</FORK-{i}>") for i, (before, _, _) in enumerate(fragments, 1)
    )
    texts = [f"{forks} {words(fragments[0][1], '<JOIN-1>')}"]
    texts += [words(gap, f"<JOIN-{i}>") for i, (_, gap, _) in enumerate(fragments[1:], 2)]
    script: dict[str, Written] = {"0": [*texts, words(7, "<ANSWER>a</ANSWER>")]}
    latency = sum(before for before, _, _ in fragments)
    forked_at = 0
    for i, (before, gap, work) in enumerate(fragments, 1):
        forked_at += before
        script[f"0.{i}"] = words(work, "<RETURN>r</RETURN>")
        latency = max(latency + gap, forked_at + work)
    return script, latency + 7


FRAGMENTS = st.lists(
    st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(1, 120)), min_size=1, max_size=6
)


@given(FRAGMENTS)
def test_the_longest_path_is_the_papers_recurrence_and_brute_force(
    fragments: list[tuple[int, int, int]],
) -> None:
    from tests.dag.conftest import written

    from anabranch.dag.job import JobSpec, Sampling
    from anabranch.dag.simulator import Simulation
    from anabranch.dag.text import say

    script, recurrence = organizer(fragments)
    spec = JobSpec(
        messages=(say("user", "q"),),
        policy="async-think",
        params={"assist": "none", "c": 8},
        sampling=Sampling(max_tokens=5000),
    )
    simulation = Simulation(spec, written(script))
    graph = build(simulation.run())
    critical, path = longest_path(graph)
    assert critical == recurrence == brute_force(graph)
    assert sum(graph.node(name).tokens for name in path) == critical
    assert makespan(graph, 100) == critical
    assert makespan(graph, 1) == total_tokens(graph) - waste_tokens(graph)
    assert measure(simulation.records).wall_seconds == critical  # one second a token, nobody waits


@given(FRAGMENTS, st.integers(1, 8))
def test_more_capacity_never_hurts_below_graham(fragments: list[tuple[int, int, int]], capacity: int) -> None:
    """A list schedule is within 2 - 1/c of the best one (Graham 1969), which is at least max(T, L/c)."""
    from tests.dag.conftest import written

    from anabranch.dag.job import JobSpec, Sampling
    from anabranch.dag.simulator import Simulation
    from anabranch.dag.text import say

    spec = JobSpec(
        messages=(say("user", "q"),),
        policy="async-think",
        params={"assist": "none", "c": 8},
        sampling=Sampling(max_tokens=5000),
    )
    graph = build(Simulation(spec, written(organizer(fragments)[0])).run())
    critical, total = longest_path(graph)[0], total_tokens(graph)
    best = max(critical, total / capacity)
    assert best <= makespan(graph, capacity) <= critical + (total - critical) / capacity


def test_slack_is_how_much_longer_a_branch_could_have_been(simulate: Simulate) -> None:
    script = {"0.1": words(10, "7"), "0.2": words(25, "7")}
    simulation = simulate("self-consistency", script, params={"n": 2, "stop": "all"})
    found = slack(build(simulation.records))
    assert (found[BranchId("0.1")], found[BranchId("0.2")]) == (15, 0)


def test_a_capacity_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="decodes nothing"):
        makespan(build([]), 0)


def test_an_empty_journal_measures_as_nothing() -> None:
    assert measure([]).total_tokens == 0
    assert measure([]).parallelism == 1.0


def test_a_running_job_measures_what_is_there(simulate: Simulate) -> None:
    simulation = simulate(
        "self-consistency", {"0.1": words(10, "7"), "0.2": words(25, "7")}, params={"n": 2, "stop": "all"}
    )
    some = [r for r in simulation.records if r.at <= datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)]
    assert not any(isinstance(r.event, e.AnswerCommitted) for r in some)
    assert measure(some).critical_path_tokens == 10
    assert measure(some).waste_tokens == 0


def test_a_cycle_in_a_plan_is_found() -> None:
    assert find_cycle([("a", "b"), ("b", "c"), ("c", "a")]) is not None
    assert find_cycle([("a", "b"), ("a", "c")]) is None


@pytest.mark.parametrize("mark", ["usage_at_least", "usage_estimated"])
@pytest.mark.parametrize("second", [False, True])
def test_what_nobody_counted_of_one_decode_nobody_has_counted_of_the_job(mark: str, second: bool) -> None:
    decoded = Decoded(text="So", finish=Finish.EOS, usage=Usage(completion_tokens=9))
    uncounted = replace(decoded, **{mark: True})  # type: ignore[arg-type]
    events: list[e.Event] = [
        e.JobSubmitted(spec=JobSpec(messages=(say("user", "q"),), policy="sequential"), policy_version="1"),
        e.SegmentStarted(segment=1),
        e.SegmentFinished(segment=1, attempt=1, decoded=decoded if second else uncounted),
    ]
    if second:
        events.insert(2, e.HedgeLost(segment=1, attempt=1, decoded=uncounted))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    metrics = measure(
        e.Record(job=JobId("j"), seq=seq, epoch=1, at=at, event=event, prev_hash="", hash="")
        for seq, event in enumerate(events, 1)
    )
    told = {"usage_at_least": metrics.usage_at_least, "usage_estimated": metrics.usage_estimated}
    assert told == {"usage_at_least": False, "usage_estimated": False, mark: True}
