"""Says in words how the worker pool is doing: for the command line, readiness and the dashboard."""

from dataclasses import dataclass

import ray
from ray import serve

from anabranch.workers.pool.deployment import deployment_name
from anabranch.workers.settings import PoolSettings

FAILED = ("DEPLOY_FAILED", "UNHEALTHY")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    running: int
    """Replicas that decode."""
    wanted: int
    words: str
    """What a person needs to know; says what is missing when replicas are."""
    failed: bool
    """Serve has given up on replicas that are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """GPUs of the cluster, as Ray counts them."""

    free: float
    all: float


def pool_status(settings: PoolSettings, *, app: str) -> PoolStatus:
    """Asks Serve and Ray; blocks for some milliseconds."""
    running, trouble = _deployed(app, settings.name)
    gpus = Gpus(free=ray.available_resources().get("GPU", 0), all=ray.cluster_resources().get("GPU", 0))
    words = describe(running, settings, gpus, trouble)
    failed = bool(trouble) and running < settings.replicas
    return PoolStatus(running=running, wanted=settings.replicas, words=words, failed=failed)


def describe(running: int, settings: PoolSettings, gpus: Gpus, trouble: str = "") -> str:
    """`trouble` is Serve's own account of a deployment that fails."""
    missing = settings.replicas - running
    run = f"{running} of {settings.replicas} replicas running"
    each = settings.gpus_per_replica
    if missing <= 0:
        return run
    if trouble:
        return f"{run}, the others fail: {trouble}"
    if gpus.free < each:
        return (
            f"{run}, {missing} waiting for a GPU: each replica takes {each:g}, "
            f"and of the cluster's {gpus.all:g} there are {gpus.free:g} free"
        )
    return f"{run}, {missing} starting"


def _deployed(app: str, pool: str) -> tuple[int, str]:
    """Replicas that run, and what Serve says when it gave up on others."""
    application = serve.status().applications.get(app)
    deployment = application.deployments.get(deployment_name(pool)) if application else None
    if deployment is None:
        return 0, application.message if application and application.status in FAILED else ""
    return deployment.replica_states.get(
        "RUNNING", 0
    ), deployment.message if deployment.status in FAILED else ""
