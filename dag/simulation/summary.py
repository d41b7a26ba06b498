"""Sums a simulation up: latencies, goodput, utilisation, queues, money."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean

from anabranch.dag.simulation.outcome import Ended, Outcome

SHARES = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Of seconds."""

    p50: float
    p90: float
    p95: float
    p99: float
    mean: float
    most: float


def percentiles(values: Sequence[float]) -> Percentiles:
    """By nearest rank: each is a value that occurred. All 0 where there is none."""
    ordered = sorted(values) or [0.0]
    p50, p90, p95, p99 = (ordered[max(0, ceil(share * len(ordered)) - 1)] for share in SHARES)
    return Percentiles(p50=p50, p90=p90, p95=p95, p99=p99, mean=fmean(ordered), most=ordered[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class OfKind:
    """What the jobs of one kind came to; `all` is those of all kinds."""

    kind: str
    jobs: int
    succeeded: int
    good: int
    """Those that succeeded within the goal."""
    latency: Percentiles
    """Seconds from arrival to answer."""
    job_queue: Percentiles
    """Seconds until an organizer took it up."""
    decode_queue: Percentiles
    """Seconds that its decodes waited for a place, added up."""
    critical_path_tokens: float
    """T, on average."""
    total_tokens: float
    """L, on average."""
    parallelism: float
    """Of the sums: L through T."""
    waste_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What one scenario came to."""

    seconds: float
    """From the start to the last end."""
    throughput: float
    """Jobs that ended, per second."""
    goodput: float
    """Jobs that were good, per second."""
    tokens_per_second: float
    """Decoded, by all replicas."""
    utilisation: float
    """Share of the replicas' time in which they took steps."""
    batch: float
    """Sequences in a step, on average over the time in which steps were taken."""
    preemptions: int
    most_jobs: int
    """That had come and not ended, at one time."""
    most_queued: int
    most_decodes: int
    cost: float
    """Of all GPUs, busy or idle, for these seconds."""
    cost_per_job: float
    cost_per_million_tokens: float
    kinds: tuple[OfKind, ...]
    """By name; the first is `all`."""


def summarise(outcome: Outcome) -> Summary:
    """Sums one outcome up."""
    cluster, seconds = outcome.scenario.cluster, outcome.seconds
    busy = sum(replica.busy for replica in outcome.replicas)
    tokens = sum(replica.tokens for replica in outcome.replicas)
    cost = cluster.gpus * cluster.gpu_hour * seconds / 3600
    whole = _of_kind("all", outcome.jobs, outcome.scenario.within)
    names = sorted(Counter(job.kind for job in outcome.jobs))
    each = (
        _of_kind(name, [job for job in outcome.jobs if job.kind == name], outcome.scenario.within)
        for name in names
    )
    return Summary(
        seconds=seconds,
        throughput=_ratio(whole.jobs, seconds),
        goodput=_ratio(whole.good, seconds),
        tokens_per_second=_ratio(tokens, seconds),
        utilisation=_ratio(busy, seconds * cluster.replicas),
        batch=_ratio(sum(replica.sequence_seconds for replica in outcome.replicas), busy),
        preemptions=sum(replica.preempted for replica in outcome.replicas),
        most_jobs=max((load.jobs for load in outcome.loads), default=0),
        most_queued=max((load.queued for load in outcome.loads), default=0),
        most_decodes=max((load.decodes for load in outcome.loads), default=0),
        cost=cost,
        cost_per_job=_ratio(cost, whole.jobs),
        cost_per_million_tokens=_ratio(cost, tokens / 1e6),
        kinds=(whole, *each),
    )


def _of_kind(name: str, jobs: Sequence[Ended], within: float | None) -> OfKind:
    succeeded = [job for job in jobs if job.status == "succeeded"]
    critical = sum(job.metrics.critical_path_tokens for job in jobs)
    total = sum(job.metrics.total_tokens for job in jobs)
    return OfKind(
        kind=name,
        jobs=len(jobs),
        succeeded=len(succeeded),
        good=sum(within is None or job.latency <= within for job in succeeded),
        latency=percentiles([job.latency for job in jobs]),
        job_queue=percentiles([job.claimed - job.arrived for job in jobs]),
        decode_queue=percentiles([job.waited for job in jobs]),
        critical_path_tokens=_ratio(critical, len(jobs)),
        total_tokens=_ratio(total, len(jobs)),
        parallelism=_ratio(total, critical),
        waste_tokens=_ratio(sum(job.metrics.waste_tokens for job in jobs), len(jobs)),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
