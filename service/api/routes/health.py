"""Answers probes and Prometheus: is it there, can it take jobs, how is it doing.

Ready is who can take jobs and tell of them: the store answers. It does not depend on pools and organizers. Jobs are
accepted without them, as is promised, and if all REST processes left their load balancer whenever a head or a pool is
away, no job could be submitted, and none be read.
"""

import asyncio

from fastapi import APIRouter, Depends, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.responses import Response

from anabranch.service.api.auth import require_operator
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.live.queueing import describe_pool
from anabranch.service.api.metrics.http import Meters
from anabranch.service.api.problems import problems
from anabranch.service.instance import INSTANCE
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.store import Store
from anabranch.workers.pool.protocol import PoolLoad

OPERATORS = Depends(require_operator)
STORE_SECONDS = 4.0
"""After which a store that says nothing counts as away: Prometheus waits for ten seconds."""

router = APIRouter(tags=["service"])


class Healthy(BaseModel):
    status: str = "ok"
    instance: str = Field(default=INSTANCE, description="Names this process; a new one in each.")


class PoolState(BaseModel):
    replicas: int
    decoding: int
    capacity: int
    waiting: int = Field(description="Of those decoding: for a replica.")
    state: str = Field(description="ready, or what its decodes wait for.")


class Ready(BaseModel):
    status: str = "ready"
    replicas: int
    """That decode. Without any, jobs are accepted, and answered when there is one."""
    organizers: int
    """That run jobs."""
    pools: dict[str, PoolState] = {}
    """By name. One without a replica keeps its own decodes; the others go on."""


@router.get("/healthz")
async def healthz() -> Healthy:
    """This process answers."""
    return Healthy()


@router.get("/readyz", responses=problems())
async def readyz(deps: Injected) -> Ready:
    """Jobs are taken: the store is there, 503 otherwise. Who could answer them now is told."""
    await deps.store.ping()
    pool = await deps.organizers.hear_load()
    organizers = deps.organizers.count()
    if pool is None:
        return Ready(replicas=0, organizers=organizers)
    pools = {name: _state(name, of) for name, of in pool.pools.items()}
    return Ready(replicas=pool.replicas, organizers=organizers, pools=pools)


def _state(name: str, load: PoolLoad) -> PoolState:
    return PoolState(
        replicas=load.replicas,
        decoding=load.decoding,
        capacity=load.capacity,
        waiting=load.waiting,
        state=describe_pool(name, load),
    )


@router.get("/metrics", response_class=Response, dependencies=[OPERATORS], responses=problems(403))
async def metrics(request: Request, deps: Injected) -> Response:
    """For Prometheus. While the store is away, `anabranch_store_up` is 0, what is read from the store is left out, and
    what this process counts itself is told as ever."""
    meters: Meters = request.app.state.meters
    meters.store_up.set(await _read_store(meters, deps.store))
    meters.organizers.set(deps.organizers.count())
    pool = deps.organizers.load()
    meters.replicas.set(pool.replicas if pool else 0)
    meters.decoding.set(pool.decoding if pool else 0)
    meters.capacity.set(pool.capacity if pool else 0)
    meters.pools.set(pool.pools if pool else {})
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)


async def _read_store(meters: Meters, store: Store) -> bool:
    """Whether it answers."""
    try:
        async with asyncio.timeout(STORE_SECONDS):
            live = await store.jobs.count_live()
        await meters.ended.count(store)
    except (StoreAway, TimeoutError):
        meters.jobs.clear()
        return False
    for status, count in live.items():
        meters.jobs.labels(status.value).set(count)
    return True
