"""Answers probes and Prometheus: is it there, can it take jobs, how is it doing.

Ready is who can take jobs and tell of them: the store answers. It does not depend on pools and organizers. Jobs are
accepted without them, as is promised, and if all REST processes left their load balancer whenever a head or a pool is
away, no job could be submitted, and none be read.
"""

from fastapi import APIRouter, Depends, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.responses import Response

from anabranch.service.api.auth import require_operator
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.metrics.http import Meters
from anabranch.service.api.problems import problems

OPERATORS = Depends(require_operator)

router = APIRouter(tags=["service"])


class Healthy(BaseModel):
    status: str = "ok"


class Ready(BaseModel):
    status: str = "ready"
    replicas: int
    """That decode. Without any, jobs are accepted, and answered when there is one."""
    organizers: int
    """That run jobs."""


@router.get("/healthz")
async def healthz() -> Healthy:
    """This process answers."""
    return Healthy()


@router.get("/readyz", responses=problems())
async def readyz(deps: Injected) -> Ready:
    """Jobs are taken: the store is there, 503 otherwise. Who could answer them now is told."""
    await deps.store.ping()
    pool = await deps.organizers.hear_load()
    replicas = pool.replicas if pool is not None else 0
    return Ready(replicas=replicas, organizers=deps.organizers.count())


@router.get("/metrics", response_class=Response, dependencies=[OPERATORS], responses=problems(403))
async def metrics(request: Request, deps: Injected) -> Response:
    """For Prometheus."""
    meters: Meters = request.app.state.meters
    for status, count in (await deps.store.jobs.count_live()).items():
        meters.jobs.labels(status.value).set(count)
    await meters.ended.count(deps.store)
    meters.organizers.set(deps.organizers.count())
    pool = deps.organizers.load()
    meters.replicas.set(pool.replicas if pool else 0)
    meters.decoding.set(pool.decoding if pool else 0)
    meters.capacity.set(pool.capacity if pool else 0)
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)
