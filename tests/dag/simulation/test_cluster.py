"""Whole scenarios: arrivals, mixtures, queues, and that nothing is left to chance."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from anabranch.dag.policy import catalogue
from anabranch.dag.simulation.cluster import ClusterRun
from anabranch.dag.simulation.description import Arrivals, Cluster, Kind, Scenario
from anabranch.dag.simulation.draws import Lengths
from anabranch.dag.simulation.engines.step_time import StepTime
from anabranch.dag.simulation.outcome import Outcome
from anabranch.dag.simulation.summary import percentiles, summarise
from anabranch.dag.simulation.workload import Point, Sweep

STEP = StepTime(points=((1, 0.01), (33, 0.02)), per_context_token=1e-8, per_prefill_token=2e-5)
CLUSTER = Cluster(step=STEP, replicas=2, gpu_hour=3.6, overhead=0.005)
LENGTHS = Lengths(kind="lognormal", numbers=(40.0, 0.6))
SAMPLES = Kind(name="samples", policy="self-consistency", params={"n": 3}, output_tokens=LENGTHS)
ALONE = Kind(name="alone", policy="sequential", weight=2.0, output_tokens=LENGTHS)
SCENARIO = Scenario(
    cluster=CLUSTER,
    arrivals=Arrivals(process="poisson", rate=5.0, jobs=40),
    kinds=(SAMPLES, ALONE),
    seed=3,
    within=1.0,
)


def run(scenario: Scenario = SCENARIO, **rest: Any) -> Outcome:
    scenario = replace(scenario, **rest)
    return ClusterRun(scenario, Point(label="", scenario=scenario).ask()).run()


def test_the_same_seed_gives_the_same_to_the_last_bit_and_another_seed_does_not() -> None:
    first, second = run(), run()
    assert first == second
    assert asdict(summarise(first)) == asdict(summarise(second))
    assert run(seed=4).jobs != first.jobs


def test_more_replicas_change_nothing_but_time() -> None:
    one, many = run(cluster=replace(CLUSTER, replicas=1)), run(cluster=replace(CLUSTER, replicas=8))
    alone = [(left, right) for left, right in zip(one.jobs, many.jobs, strict=True) if left.kind == "alone"]
    assert [left.arrived for left, _ in alone] == [right.arrived for _, right in alone]
    assert [left.metrics.total_tokens for left, _ in alone] == [r.metrics.total_tokens for _, r in alone]
    assert summarise(one).kinds[0].latency.p50 > summarise(many).kinds[0].latency.p50
    assert summarise(one).utilisation > summarise(many).utilisation


def test_clients_of_a_closed_loop_ask_when_they_have_their_answer() -> None:
    closed = Arrivals(process="closed", jobs=12, clients=3, think_seconds=0.5)
    outcome = run(arrivals=closed)
    for job in outcome.jobs[3:]:
        before = [other for other in outcome.jobs if other.ended + 0.5 == pytest.approx(job.arrived)]
        assert before
    moments = [job.arrived for job in outcome.jobs]
    assert max(sum(job.arrived <= at < job.ended for job in outcome.jobs) for at in moments) <= 3


def test_a_trace_is_kept_to_and_jobs_wait_for_their_organizer() -> None:
    outcome = run(
        arrivals=Arrivals(process="trace", jobs=3, times=(0.0, 0.0, 0.5)),
        cluster=replace(CLUSTER, max_jobs=1),
    )
    assert [job.arrived for job in outcome.jobs] == [0.0, 0.0, 0.5]
    first, second, third = outcome.jobs
    assert (second.claimed, third.claimed) == (first.ended, second.ended)
    assert summarise(outcome).kinds[0].job_queue.most == third.claimed - 0.5


def test_a_job_whose_time_is_up_answers_with_what_there_is() -> None:
    long = replace(ALONE, output_tokens=Lengths(kind="constant", numbers=(1000.0,)))
    budgeted = replace(long, budget=replace(long.budget, seconds=2.0))
    outcome = run(kinds=(budgeted,), arrivals=Arrivals(process="trace", jobs=1, times=(0.0,)))
    assert outcome.jobs[0].latency == pytest.approx(2.0, abs=0.05)
    assert outcome.jobs[0].metrics.total_tokens < 200


@pytest.mark.parametrize("policy", sorted(catalogue()))
def test_every_policy_is_played_to_its_answer(policy: str) -> None:
    kind = Kind(name=policy, policy=policy, output_tokens=LENGTHS, forks=3)
    outcome = run(kinds=(kind,), arrivals=Arrivals(process="poisson", rate=5.0, jobs=3))
    assert [job.status for job in outcome.jobs] == ["succeeded"] * 3
    may_be_alone = {"sequential", "retrieval", "dynasor", "auto"}
    assert policy in may_be_alone or all(job.metrics.parallelism > 1 for job in outcome.jobs)


def test_money_is_for_all_gpus_as_long_as_it_took() -> None:
    outcome = run(cluster=replace(CLUSTER, gpus_per_replica=4))
    summary = summarise(outcome)
    assert summary.cost == pytest.approx(2 * 4 * outcome.seconds / 1000)
    assert summary.cost_per_job == pytest.approx(summary.cost / 40)
    assert summary.goodput * summary.seconds == pytest.approx(sum(job.latency <= 1.0 for job in outcome.jobs))


def test_percentiles_are_values_that_occurred() -> None:
    told = percentiles([float(number) for number in range(1, 101)])
    assert (told.p50, told.p90, told.p99, told.most, told.mean) == (50.0, 90.0, 99.0, 100.0, 50.5)
    assert percentiles([]).p99 == 0.0


def test_a_sweep_is_all_combinations_each_named_by_what_it_differs_in() -> None:
    sweep = Sweep(replicas=(1, 2), width=(2, 4), policy=("best-of-n", "thread-weaver"))
    points = sweep.points(SCENARIO)
    assert [point.label for point in points][:3] == [
        "best-of-n, width 2, 1 replica",
        "best-of-n, width 2, 2 replicas",
        "best-of-n, width 4, 1 replica",
    ]
    assert len(points) == 8
    assert [point.scenario.kinds[0].params for point in points[:4:2]] == [{"n": 2}, {"n": 4}]
    assert points[-1].scenario.kinds[0].forks == 4
    assert points[-1].scenario.cluster.replicas == 2


def test_a_branch_whose_time_is_up_is_cut_off_and_the_others_go_on() -> None:
    """As an organizer does: so long after it, or a branch below it, first decoded; the trunk is never cut."""
    long = replace(SAMPLES, output_tokens=Lengths(kind="values", numbers=(20.0, 2000.0)), params={"n": 6})
    arrivals = Arrivals(process="trace", jobs=1, times=(0.0,))
    free = run(kinds=(long,), arrivals=arrivals).jobs[0]
    cut = run(
        kinds=(replace(long, budget=replace(long.budget, branch_seconds=3.0)),), arrivals=arrivals
    ).jobs[0]
    assert cut.status == "succeeded"
    assert cut.latency == pytest.approx(3.0, abs=0.1)
    assert free.latency > 10
    assert cut.metrics.total_tokens < free.metrics.total_tokens
    alone = replace(ALONE, output_tokens=Lengths(kind="constant", numbers=(1000.0,)))
    trunk = run(
        kinds=(replace(alone, budget=replace(alone.budget, branch_seconds=1.0)),), arrivals=arrivals
    ).jobs[0]
    assert trunk.metrics.total_tokens >= 1000


def test_where_branches_heed_the_load_short_jobs_are_sooner_and_the_same_is_decoded() -> None:
    wide = replace(SAMPLES, params={"n": 24, "stop": "all"})
    busy: dict[str, Any] = {
        "kinds": (wide, ALONE),
        "cluster": replace(CLUSTER, replicas=1),
        "arrivals": Arrivals(process="poisson", rate=3.0, jobs=60),
    }
    eager, heeding = run(**busy), run(**busy, slowdown=1.2)
    assert [job.metrics.total_tokens for job in heeding.jobs] == [j.metrics.total_tokens for j in eager.jobs]
    assert [job.metrics.critical_path_tokens for job in heeding.jobs] == [
        job.metrics.critical_path_tokens for job in eager.jobs
    ]

    def alone(outcome: Outcome) -> float:
        return max(job.latency for job in outcome.jobs if job.kind == "alone")

    assert alone(heeding) < alone(eager)
    assert heeding == run(**busy, slowdown=1.2)
