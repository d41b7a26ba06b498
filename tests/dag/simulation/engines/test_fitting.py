"""Step times that are fitted to journals: those of simulated jobs, whose step times are known."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.conftest import hedged_vote

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import ReasoningGraph
from anabranch.dag.ids import JobId
from anabranch.dag.simulation import job_run
from anabranch.dag.simulation.cluster import ClusterRun
from anabranch.dag.simulation.description import Arrivals, Cluster, Kind, Scenario
from anabranch.dag.simulation.draws import Lengths
from anabranch.dag.simulation.engines.fitting import CannotFit, fit, observe
from anabranch.dag.simulation.engines.least_squares import solve
from anabranch.dag.simulation.engines.step_time import StepTime
from anabranch.dag.simulation.workload import Point

LENGTHS = Lengths(kind="lognormal", numbers=(60.0, 0.6))


def journals_of(step: StepTime, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[e.Record]]:
    kept: dict[int, list[e.Record]] = defaultdict(list)

    class Keeping(ReasoningGraph):
        def add(self, record: e.Record) -> None:
            kept[id(self)].append(record)
            super().add(record)

        def __init__(self) -> None:
            super().__init__()
            alive.append(self)

    alive: list[Any] = []
    keep = job_run.JobRun.__dataclass_fields__["graph"]
    assert keep.default_factory is ReasoningGraph
    original = job_run.JobRun.__init__

    def begin(run: job_run.JobRun, **fields: Any) -> None:
        original(run, **fields, graph=Keeping())

    monkeypatch.setattr(job_run.JobRun, "__init__", begin)
    kinds = (
        Kind(name="a", policy="self-consistency", params={"n": 4}, output_tokens=LENGTHS),
        Kind(name="b", policy="sequential", output_tokens=LENGTHS, question_tokens=LENGTHS),
    )
    scenario = Scenario(
        cluster=Cluster(step=step, replicas=2, overhead=0.03),
        arrivals=Arrivals(process="poisson", rate=3.0, jobs=40),
        kinds=kinds,
        seed=1,
    )
    ClusterRun(scenario, Point(label="", scenario=scenario).ask()).run()
    return list(kept.values())


@pytest.mark.parametrize(
    ("base", "per_sequence", "per_context", "per_prefill"),
    [(0.01, 0.002, 0.0, 2e-5), (0.02, 0.0005, 2e-6, 1e-4), (0.0, 0.004, 0.0, 1e-5)],
)
def test_known_step_times_are_found_again(
    base: float, per_sequence: float, per_context: float, per_prefill: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = StepTime(
        points=((1, base + per_sequence), (2, base + 2 * per_sequence)),
        per_context_token=per_context,
        per_prefill_token=per_prefill,
    )
    fitted = fit(journals_of(step, monkeypatch))
    for batch in (1, 4, 10):
        assert fitted.step.of_batch(batch) + 500 * fitted.step.per_context_token == pytest.approx(
            step.of_batch(batch) + 500 * per_context, rel=0.05
        )
    assert fitted.step.per_prefill_token == pytest.approx(per_prefill, rel=0.1, abs=1e-5)
    assert fitted.overhead == pytest.approx(0.03, abs=0.003)
    assert fitted.r_squared > 0.99
    assert fitted.median_error < 0.02


def test_too_few_decodes_are_no_fit() -> None:
    with pytest.raises(CannotFit, match="0 decodes"):
        fit([])


def test_what_another_job_had_decoded_tells_nothing_of_this_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def recalled(record: e.Record) -> e.Record:
        if not isinstance(record.event, e.SegmentFinished):
            return record
        decoded = replace(record.event.decoded, recalled_from=JobId("origin"))
        return replace(record, event=replace(record.event, decoded=decoded))

    journals = journals_of(StepTime(points=((1, 0.01),)), monkeypatch)
    with pytest.raises(CannotFit, match="0 decodes"):
        fit([[recalled(record) for record in records] for records in journals])


def test_a_decode_that_was_lost_was_in_the_batch_and_the_wait_for_a_second_one_is_no_delay() -> None:
    observed, delays = observe(hedged_vote(winner=1).records)
    assert [(each.replica, each.tokens) for each in observed] == [
        ("replica-1", 10),
        ("replica-1", 30),
        ("replica-2", 90),
    ]
    assert len(delays) == 1
    assert len(observe(hedged_vote(winner=0).records)[1]) == 2


@given(st.lists(st.floats(0.0, 10.0), min_size=3, max_size=3))
def test_what_rows_were_made_of_is_solved_for(x: list[float]) -> None:
    rows = [(1.0, 2.0, 0.5), (1.0, 5.0, 0.1), (2.0, 1.0, 3.0), (0.5, 0.0, 1.0)]
    targets = [sum(a * b for a, b in zip(row, x, strict=True)) for row in rows]
    assert solve(rows, targets) == pytest.approx(x, abs=1e-5)


def test_no_unknown_is_negative() -> None:
    assert solve([(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)], [3.0, 2.0, 1.0]) == pytest.approx((2.0, 0.0))
