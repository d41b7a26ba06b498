"""Serves webhooks: a tenant's endpoints, and what was sent to them. Those of a single job are named when it is
submitted.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from secrets import token_hex
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from anabranch.dag.ids import JobId
from anabranch.service.api.auth import CurrentCaller
from anabranch.service.api.body import JsonRoute
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.problems import problems
from anabranch.service.api.views.job import Moment
from anabranch.service.api.views.webhooks import EndpointRequest, RotateRequest, new_webhook
from anabranch.service.store.sql.columns import utc_text
from anabranch.service.store.webhooks.deliveries import About, Attempt, DeliveryRow, Taken
from anabranch.service.store.webhooks.endpoints import EndpointRow
from anabranch.service.webhooks.sender import Sender
from anabranch.service.webhooks.signing import draw_secret
from anabranch.service.webhooks.targets import origin_of, read_networks

MOST = 100
TEST = "webhook.test"
router = APIRouter(prefix="/v1", tags=["webhooks"], route_class=JsonRoute)
Most = Annotated[int, Query(ge=1, le=500)]


class EndpointView(BaseModel):
    id: str
    tenant: str
    url: str
    events: list[str] = Field(description="Types; empty: all.")
    status: Literal["enabled", "disabled"]
    created_at: Moment
    failing_since: Moment | None = Field(description="Since then every attempt has failed.")
    disabled_because: str | None
    former_secret_until: Moment | None = Field(
        None, description="Until then calls carry a second signature, by the secret before the last."
    )


class NewEndpointView(EndpointView):
    secret: str = Field(description="What signatures are checked with. It is told this once.")


class Endpoints(BaseModel):
    items: list[EndpointView]


class AttemptView(BaseModel):
    number: int = Field(description="From 1. One that is missing was cut off: its process ended.")
    at: Moment
    status: int | None = Field(description="Of the answer.")
    error: str | None
    seconds: float


class DeliveryView(BaseModel):
    id: str
    message: str = Field(
        description="The header `webhook-id`: the same for every attempt and every endpoint."
    )
    type: str
    job: str | None
    batch: str | None = None
    endpoint: str
    origin: str = Field(description="Scheme and host that it is sent to.")
    status: Literal["waiting", "delivered", "given_up"]
    created_at: Moment
    next_attempt_at: Moment | None
    attempts: list[AttemptView]


class Deliveries(BaseModel):
    items: list[DeliveryView]


@router.post("/webhooks", status_code=201, responses=problems(400, 403, 413, 415))
async def add(
    sent: EndpointRequest, response: Response, deps: Injected, caller: CurrentCaller
) -> NewEndpointView:
    """An endpoint that hears of all jobs of the tenant, from now on. The answer tells its secret, this once."""
    secret = draw_secret()
    new = new_webhook(sent.url, secret, sent.events, deps.settings, "url")
    made = await deps.store.webhooks.add(caller.tenant, new)
    response.headers["Location"] = f"/v1/webhooks/{made.id}"
    return NewEndpointView(**_endpoint(made).model_dump(), secret=secret)


@router.get("/webhooks", responses=problems(403))
async def list_endpoints(deps: Injected, caller: CurrentCaller) -> Endpoints:
    """The endpoints that hear of all jobs, without their secrets."""
    return Endpoints(items=[_endpoint(row) for row in await deps.store.webhooks.list(caller.scope)])


@router.get("/webhooks/{endpoint}", responses=problems(403, 404))
async def get_endpoint(endpoint: str, deps: Injected, caller: CurrentCaller) -> EndpointView:
    """One endpoint."""
    return _endpoint(await deps.store.webhooks.get(endpoint, caller.scope))


@router.delete("/webhooks/{endpoint}", status_code=204, responses=problems(403, 404))
async def remove(endpoint: str, deps: Injected, caller: CurrentCaller) -> None:
    """Delete an endpoint. What waits to be sent there is not sent."""
    await deps.store.webhooks.remove(endpoint, caller.scope)


@router.post("/webhooks/{endpoint}/enable", responses=problems(403, 404))
async def enable(endpoint: str, deps: Injected, caller: CurrentCaller) -> EndpointView:
    """Let an endpoint that was disabled hear of what happens from now on."""
    return _endpoint(await deps.store.webhooks.enable(endpoint, caller.scope))


@router.post("/webhooks/{endpoint}/rotate", responses=problems(400, 403, 404, 413, 415))
async def rotate(
    endpoint: str, sent: RotateRequest, deps: Injected, caller: CurrentCaller
) -> NewEndpointView:
    """A new secret, told this once. For a while calls carry two signatures, by the new secret and by the old."""
    secret = draw_secret()
    row = await deps.store.webhooks.replace_secret(endpoint, caller.scope, secret, sent.overlap_seconds)
    return NewEndpointView(**_endpoint(row).model_dump(), secret=secret)


@router.post("/webhooks/{endpoint}/test", responses=problems(403, 404))
async def test(endpoint: str, deps: Injected, caller: CurrentCaller) -> AttemptView:
    """Call an endpoint now, once, with a message of type `webhook.test`; the answer says what came of it. It is
    not kept, and a failure does not count against the endpoint."""
    url, secrets = await deps.store.webhooks.read_target(endpoint, caller.scope)
    told = {"type": TEST, "timestamp": utc_text(datetime.now(UTC)), "data": {"endpoint": endpoint}}
    message = f"msg_test_{token_hex(12)}"
    taken = Taken(
        id=message,
        message=message,
        endpoint=endpoint,
        url=url,
        secrets=secrets,
        body=json.dumps(told, separators=(",", ":")),
        attempt=1,
    )
    sender = Sender(read_networks(deps.settings.webhook_networks))
    attempt, _ = await sender.attempt(taken)
    return _attempt(attempt)


@router.get("/webhooks/{endpoint}/deliveries", responses=problems(403, 404))
async def deliveries_of_endpoint(
    endpoint: str, deps: Injected, caller: CurrentCaller, limit: Most = MOST
) -> Deliveries:
    """What was sent to an endpoint, and what is to be, with every attempt; the newest first."""
    await deps.store.webhooks.get(endpoint, caller.scope)
    return _deliveries(
        await deps.store.webhooks.list_deliveries(caller.scope, endpoint=endpoint, limit=limit)
    )


@router.get("/jobs/{job}/webhooks", responses=problems(403, 404))
async def deliveries_of_job(job: JobId, deps: Injected, limit: Most = MOST) -> Deliveries:
    """What was told of a job, and what is to be, with every attempt; the newest first."""
    await deps.store.jobs.get(job)
    return _deliveries(await deps.store.webhooks.list_deliveries(None, job=job, limit=limit))


def _endpoint(row: EndpointRow) -> EndpointView:
    return EndpointView(
        id=row.id,
        tenant=row.tenant,
        url=row.url,
        events=list(row.events),
        status="enabled" if row.disabled_at is None else "disabled",
        created_at=row.created_at,
        failing_since=row.failing_since,
        disabled_because=row.disabled_because,
        former_secret_until=row.former_until,
    )


def _deliveries(rows: Sequence[DeliveryRow]) -> Deliveries:
    return Deliveries(items=[_delivery(row) for row in rows])


def _delivery(row: DeliveryRow) -> DeliveryView:
    status: Literal["waiting", "delivered", "given_up"] = "waiting"
    if row.delivered_at is not None:
        status = "delivered"
    elif row.given_up_at is not None:
        status = "given_up"
    return DeliveryView(
        id=row.id,
        message=row.message,
        type=row.type,
        job=row.subject if row.about is About.JOB else None,
        batch=row.subject if row.about is About.BATCH else None,
        endpoint=row.endpoint,
        origin=origin_of(row.url),
        status=status,
        created_at=row.created_at,
        next_attempt_at=row.due,
        attempts=[_attempt(one) for one in row.tries],
    )


def _attempt(row: Attempt) -> AttemptView:
    return AttemptView(number=row.number, at=row.at, status=row.status, error=row.error, seconds=row.seconds)
