"""Says what the worker pool of a service is made of, by its settings."""

from anabranch.service.settings import Settings
from anabranch.workers.settings import PoolSettings


def pool_settings(settings: Settings) -> PoolSettings:
    return PoolSettings(
        engine=settings.engine_settings(),
        replicas=settings.replicas,
        gpus_per_replica=settings.gpus_per_replica,
        max_decodes=settings.max_decodes,
        stall_seconds=settings.stall_seconds,
        grace_seconds=settings.grace_seconds,
    )
