"""Asks how busy the service is, at most once a second however many look."""

import asyncio
import json
import time
from typing import Any

from anabranch.dag.status import JobStatus
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.queueing import describe_pool
from anabranch.workers.pool.protocol import PoolLoad

LOAD_SECONDS = 1.0


class Load:
    """Of the jobs of a tenant, or of all, and of the pool."""

    def __init__(self, deps: Dependencies, tenant: str | None) -> None:
        self._deps = deps
        self._tenant = tenant
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._told = ""

    async def as_json(self) -> str:
        """`queued`, `running`, `waiting` jobs; `replicas`, `decoding` and `capacity` of all pools, and of each
        by name, with the decodes that wait and for what. As JSON."""
        async with self._asking:
            if time.monotonic() - self._asked_at >= LOAD_SECONDS:
                self._told = json.dumps(await self._ask())
                self._asked_at = time.monotonic()
        return self._told

    async def _ask(self) -> dict[str, Any]:
        counts = await self._deps.store.jobs.count_live(self._tenant)
        pool = self._deps.organizers.load()
        return {
            JobStatus.QUEUED.value: counts[JobStatus.QUEUED],
            JobStatus.RUNNING.value: counts[JobStatus.RUNNING],
            JobStatus.WAITING.value: counts[JobStatus.WAITING],
            "replicas": pool.replicas if pool else 0,
            "decoding": pool.decoding if pool else 0,
            "capacity": pool.capacity if pool else 0,
            "pools": {name: _pool_json(name, of) for name, of in pool.pools.items()} if pool else {},
        }


def _pool_json(name: str, load: PoolLoad) -> dict[str, Any]:
    return {
        "replicas": load.replicas,
        "decoding": load.decoding,
        "capacity": load.capacity,
        "waiting": load.waiting,
        "state": describe_pool(name, load),
    }
