"""Says in words how the worker pool is doing: for the command line, readiness and the dashboard."""

from dataclasses import dataclass

import ray
from ray import serve

from anabranch.workers.cluster.ray_private import count_starting
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A pool, as Serve tells of it."""

    running: int
    stopping: int = 0
    """Old replicas that still end their decodes, each with its GPUs: a new one waits for them, whatever Ray counts."""
    trouble: str = ""
    """Serve's own account of a deployment that it gave up on."""


def pool_status(settings: PoolSettings, *, app: str) -> PoolStatus:
    """Asks Serve and Ray; blocks for some milliseconds."""
    found = _deployed(app, settings.name)
    gpus = Gpus(free=ray.available_resources().get("GPU", 0), all=ray.cluster_resources().get("GPU", 0))
    words = describe(found, settings, gpus)
    failed = bool(found.trouble) and found.running < settings.replicas
    return PoolStatus(running=found.running, wanted=settings.replicas, words=words, failed=failed)


def describe(found: Found, settings: PoolSettings, gpus: Gpus) -> str:
    """What a person needs to know of it."""
    running, trouble = found.running, found.trouble
    missing = settings.replicas - running
    run = f"{running} of {settings.replicas} replicas running"
    each = settings.gpus_per_replica
    if missing <= 0:
        return run
    if trouble:
        return f"{run}, the others fail: {trouble}"
    if found.stopping:
        return f"{run}, {missing} waiting for an old one to end its decodes and stop"
    if gpus.free < each:
        return (
            f"{run}, {missing} waiting for a GPU: each replica takes {each:g}, "
            f"and of the cluster's {gpus.all:g} there are {gpus.free:g} free"
        )
    return f"{run}, {missing} starting"


def describe_start(app: str, settings: PoolSettings) -> str:
    """What the decodes of a pool without a replica wait for. Asks Serve; blocks for some milliseconds."""
    unplaced, loading = count_starting(app, deployment_name(settings.name))
    found = _deployed(app, settings.name)
    return start_in_words(found, unplaced, loading, settings.gpus_per_replica)


def start_in_words(found: Found, unplaced: int, loading: int, gpus: float) -> str:
    """What a person needs to know: `unplaced` replicas wait for a machine, `loading` ones have theirs."""
    if found.trouble:
        return f"its replicas fail: {found.trouble}"
    if loading:
        return "starting a replica"
    if found.stopping:
        return "waiting for an old replica to end its decodes and stop"
    if not unplaced:
        return "asking for a replica"
    return "waiting for a GPU" if gpus else "waiting for a machine"


def _deployed(app: str, pool: str) -> Found:
    application = serve.status().applications.get(app)
    deployment = application.deployments.get(deployment_name(pool)) if application else None
    if deployment is None:
        trouble = application.message if application and application.status in FAILED else ""
        return Found(running=0, trouble=trouble)
    return Found(
        running=deployment.replica_states.get("RUNNING", 0),
        stopping=deployment.replica_states.get("STOPPING", 0),
        trouble=deployment.message if deployment.status in FAILED else "",
    )
