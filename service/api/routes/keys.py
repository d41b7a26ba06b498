"""Tells the caller what its key is for."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from anabranch.service.api.auth import CurrentCaller
from anabranch.service.api.problems import problems
from anabranch.service.api.views.job import Moment
from anabranch.service.tenants.callers import Role

router = APIRouter(prefix="/v1/key", tags=["service"])


class KeyView(BaseModel):
    name: str | None = Field(
        description="How the key begins; null for one of the tenants file, and without keys."
    )
    tenant: str
    operator: bool = Field(description="Sees all tenants.")
    roles: list[Role]
    expires_at: Moment | None
    requests_per_minute: int | None
    streams: int | None


@router.get("", responses=problems())
async def key(caller: CurrentCaller) -> KeyView:
    """What the key of this request is for, and how much it may."""
    return KeyView(
        name=caller.key,
        tenant=caller.tenant,
        operator=caller.sees_all,
        roles=[role for role in Role if caller.may(role)],
        expires_at=caller.expires_at,
        requests_per_minute=caller.requests_per_minute,
        streams=caller.streams,
    )
