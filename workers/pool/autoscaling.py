"""Decides how many replicas each pool has, by how many decodes are wanted of it.

Serve's own measure, calls under way, says nothing here: one call carries many decodes, and a pool without a replica
gets none. So the organizers tell: each says every second how many decodes it has for each pool, under way or waiting
(`record_autoscaling_stats`), and Serve hands what they said to `wanted_replicas`, the policy of the whole application
(`autoscaling_policy` of its config). A pool has `ceil(wanted / (0.7 × max_decodes))` replicas, within its bounds.

* *Up at once*, from nothing, too: who waits for a replica waits for a model to be loaded.
* *Down late.* A replica that is stopped cuts what it decodes, and comes back at the price of a start.
* What nobody has told is not known: without a word of each organizer that runs, no pool loses a replica.

Serve places a replica by the GPUs that it takes. Where none is free, Ray's autoscaler adds a machine.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any

from ray.serve.config import AutoscalingConfig

from anabranch.workers.settings import PoolSettings

SHARE = 0.7
"""Of a replica's decodes, how many are wanted of it: the rest is for what comes while the next one starts."""
TELL_SECONDS = 1.0
UP_SECONDS = 2.0
"""For how long more must be wanted than there are replicas for. A pool without any gets its first at once."""


def stat_of(deployment: str) -> str:
    """The name of what an organizer tells of this pool's deployment: the decodes that it wants."""
    return f"wanted of {deployment}"


def pool_scaling(settings: PoolSettings) -> AutoscalingConfig | None:
    """What Serve needs to know of a pool that scales, for `wanted_replicas`; None of one that does not."""
    if settings.max_replicas is None:
        return None
    return AutoscalingConfig(
        min_replicas=settings.min_replicas,
        max_replicas=settings.max_replicas,
        target_ongoing_requests=SHARE * settings.max_decodes,
        upscale_delay_s=UP_SECONDS,
        downscale_delay_s=settings.scale_down_seconds,
    )


def teller_scaling(replicas: int) -> AutoscalingConfig:
    """What Serve needs to know of the organizers: of deployments that it does not scale, it hears nothing."""
    return AutoscalingConfig(min_replicas=replicas, max_replicas=replicas, metrics_interval_s=TELL_SECONDS)


def wanted_replicas(contexts: Mapping[Any, Any]) -> tuple[dict[Any, int], dict[Any, dict[str, Any]]]:
    """Serve's application-level autoscaling policy (alpha in Ray 2.60): how many replicas each deployment should have.
    One of which nothing is said stays as it is. Serve applies bounds and delays."""
    wanted: dict[str, float] = {}
    whole: dict[str, bool] = {}
    for context in contexts.values():
        for stat, told in context.raw_metrics.items():
            latest = [series[-1].value for series in told.values() if series]
            wanted[stat] = sum(latest)
            whole[stat] = len(latest) == len(context.running_replicas)
    decided = {}
    for deployment, context in contexts.items():
        stat = stat_of(context.deployment_name)
        if stat in wanted:
            needed = ceil(wanted[stat] / context.config.get_target_ongoing_requests())
            decided[deployment] = needed if whole[stat] else max(needed, context.target_num_replicas)
    return decided, {}
