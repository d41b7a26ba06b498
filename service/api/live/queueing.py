"""Says what a decode waits for whose pool has no replica. It goes on by itself once the pool has one."""

from collections.abc import Collection, Mapping, Sequence

from anabranch.dag.ids import JobId
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.store.rows import JobRow
from anabranch.workers.pool.naming import ModelNames
from anabranch.workers.pool.protocol import PoolLoad

NO_REPLICA = "no replica runs"


def describe_wait(pool: str, load: PoolLoad) -> str | None:
    """What the decodes of this pool wait for; None where they do not."""
    if load.replicas:
        return None
    return (
        f"queued: {load.state} (pool {pool})"
        if load.state
        else f"queued: waiting for pool {pool} ({NO_REPLICA})"
    )


def describe_pool(pool: str, load: PoolLoad) -> str:
    """How the pool stands: ready, asleep, or what its decodes wait for."""
    if not load.replicas and not load.waiting:
        return NO_REPLICA
    return describe_wait(pool, load) or "ready"


def wait_for_models(deps: Dependencies, models: Collection[str | None]) -> str | None:
    """The same of decodes that were asked of these models; None also where no organizer has told how its pools are."""
    away = _away(deps)
    return _wait(models, away, deps.settings.model_names()) if away else None


async def waits_of_jobs(deps: Dependencies, rows: Sequence[JobRow]) -> dict[JobId, str]:
    """The same of each of these jobs, by its open segments. Raises StoreAway."""
    live = [row.id for row in rows if row.finished_at is None]
    away = _away(deps)
    if not live or not away:
        return {}
    asked, names = await deps.store.jobs.list_open_models(live), deps.settings.model_names()
    waits = {job: _wait(models, away, names) for job, models in asked.items()}
    return {job: told for job, told in waits.items() if told is not None}


def _wait(models: Collection[str | None], away: Mapping[str, str], names: ModelNames) -> str | None:
    found = {serving.pool for model in models if (serving := names.find(model)) is not None}
    return "; ".join(told for pool, told in away.items() if pool in found) or None


def _away(deps: Dependencies) -> dict[str, str]:
    """What is waited for, by pool."""
    load = deps.organizers.load()
    told = {pool: describe_wait(pool, of) for pool, of in load.pools.items()} if load is not None else {}
    return {pool: words for pool, words in told.items() if words is not None}
