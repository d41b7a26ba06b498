"""Answers probes and Prometheus: is it there, can it answer a job, how is it doing."""

from fastapi import APIRouter, Depends, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.responses import Response

from anabranch.service.api.auth import require_operator
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.metrics.http import Meters
from anabranch.service.api.problems import RETRY_AFTER, Refusal, Refused, problems

OPERATORS = Depends(require_operator)

router = APIRouter(tags=["service"])


class Healthy(BaseModel):
    status: str = "ok"


class Ready(BaseModel):
    status: str = "ready"
    replicas: int


@router.get("/healthz")
async def healthz() -> Healthy:
    """This process answers."""
    return Healthy()


@router.get("/readyz", responses=problems())
async def readyz(deps: Injected) -> Ready:
    """A job can be answered now: the store is there, and so is a replica. 503 otherwise."""
    await deps.store.ping()
    pool = await deps.organizers.hear_load()
    if pool is None or pool.replicas == 0:
        detail = "No replica is ready yet. Jobs are accepted, and will be answered when one is."
        refusal = Refusal(
            status=503, name="pool-away", title="No replica", detail=detail, headers=RETRY_AFTER
        )
        raise Refused(refusal)
    return Ready(replicas=pool.replicas)


@router.get("/metrics", response_class=Response, dependencies=[OPERATORS], responses=problems(403))
async def metrics(request: Request, deps: Injected) -> Response:
    """For Prometheus."""
    meters: Meters = request.app.state.meters
    for status, count in (await deps.store.jobs.count_live()).items():
        meters.jobs.labels(status.value).set(count)
    await meters.ended.count(deps.store)
    pool = deps.organizers.load()
    meters.replicas.set(pool.replicas if pool else 0)
    meters.decoding.set(pool.decoding if pool else 0)
    meters.capacity.set(pool.capacity if pool else 0)
    return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)
