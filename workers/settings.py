"""Describes what a worker pool is made of. Plain data: it travels to each replica."""

from dataclasses import dataclass

from anabranch.workers.engines.factory import EngineSettings

DEFAULT_POOL = "default"
"""The pool of a service that declares none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """How many replicas of which engine, under a name."""

    engine: EngineSettings
    name: str = DEFAULT_POOL
    takes_any: bool = False
    """It takes models that it does not name, too: whatever its upstream lists."""
    replicas: int = 1
    """Of a pool that scales: those to begin with."""
    min_replicas: int | None = None
    """Of a pool that scales: when there is nothing to do. None: it does not scale."""
    max_replicas: int | None = None
    scale_down_seconds: float = 600.0
    """Of a pool that scales: for which less must be wanted before it gives a replica back."""
    gpus_per_replica: float = 0
    """0 decodes on the CPU."""
    max_decodes: int = 32
    """Decodes that one replica takes at once; more wait there by priority."""
    text_interval: float = 0.05
    """Seconds between two batches of text of one call."""
    grace_seconds: float = 20.0
    """Seconds for which a replica that is stopped may decode on."""
    stall_seconds: float | None = None
    """Seconds without a new token after which a decode ends with fault `timeout`, to be tried elsewhere."""
