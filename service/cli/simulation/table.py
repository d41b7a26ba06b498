"""Prints a simulation for people: a line for each kind of job, or for each point of a sweep."""

from collections.abc import Sequence

from anabranch.dag.simulation.summary import OfKind, Summary
from anabranch.service.cli.output import tell, tell_table
from anabranch.service.simulation.run import Simulated

KIND = ("jobs of", "n", "good", "p50 s", "p90 s", "p99 s", "queue p50", "p99", "T", "L", "P", "waste")
POINT = ("point", "n", "good", "p50 s", "p90 s", "p99 s", "queue p99", "jobs/s", "good/s", "busy", "batch", "T", "L",
         "cost/job")  # fmt: skip


def tell_simulated(simulated: Sequence[Simulated]) -> None:
    """T, L and waste are means per job; `queue` is what its decodes waited for places, added up."""
    if len(simulated) > 1:
        tell_table(POINT, (_point(each) for each in simulated))
        return
    [only] = simulated
    kinds = only.summary.kinds
    tell_table(KIND, (_kind(kind) for kind in (kinds[1:] if len(kinds) == 2 else kinds)))
    for line in _in_words(only.summary, only.point.scenario.within):
        tell(line)


def _kind(kind: OfKind) -> tuple[object, ...]:
    return (
        kind.kind,
        kind.jobs,
        f"{kind.good / kind.jobs:.1%}" if kind.jobs else "",
        *_latencies(kind),
        f"{kind.decode_queue.p50:.2f}",
        f"{kind.decode_queue.p99:.2f}",
        f"{kind.critical_path_tokens:.0f}",
        f"{kind.total_tokens:.0f}",
        f"{kind.parallelism:.2f}",
        f"{kind.waste_tokens:.0f}",
    )


def _point(simulated: Simulated) -> tuple[object, ...]:
    summary = simulated.summary
    whole = summary.kinds[0]
    return (
        simulated.point.label,
        whole.jobs,
        f"{whole.good / whole.jobs:.1%}" if whole.jobs else "",
        *_latencies(whole),
        f"{whole.decode_queue.p99:.2f}",
        f"{summary.throughput:.3g}",
        f"{summary.goodput:.3g}",
        f"{summary.utilisation:.0%}",
        f"{summary.batch:.1f}",
        f"{whole.critical_path_tokens:.0f}",
        f"{whole.total_tokens:.0f}",
        f"{summary.cost_per_job:.4g}",
    )


def _latencies(kind: OfKind) -> tuple[str, ...]:
    return tuple(f"{seconds:.2f}" for seconds in (kind.latency.p50, kind.latency.p90, kind.latency.p99))


def _in_words(summary: Summary, within: float | None) -> list[str]:
    whole = summary.kinds[0]
    goal = f" within {within:g} s" if within is not None else ""
    queued = f", of which {summary.most_queued} waited for an organizer" if summary.most_queued else ""
    preempted = f"; memory ran out {summary.preemptions} times" if summary.preemptions else ""
    came = f"{whole.jobs} jobs in {summary.seconds:.1f} s: {summary.throughput:.3g} a second ended, "
    worked = f"replicas were busy {summary.utilisation:.1%} of the time, with {summary.batch:.1f} sequences in a step, "
    cost = f"cost {summary.cost:.4g}: {summary.cost_per_job:.4g} a job, "
    return [
        f"{came}{summary.goodput:.3g} a second succeeded{goal}",
        f"{worked}and decoded {summary.tokens_per_second:.0f} tokens a second{preempted}",
        f"at most {summary.most_jobs} jobs at once{queued}, with {summary.most_decodes} decodes",
        f"{cost}{summary.cost_per_million_tokens:.4g} a million tokens",
    ]
