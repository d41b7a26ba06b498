"""Serves gates: where jobs wait for a person, and what the person decides."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from anabranch.service.api.auth import CurrentCaller
from anabranch.service.api.body import JsonRoute
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.problems import problems
from anabranch.service.api.views.job import Moment
from anabranch.service.api.views.requests import DecisionRequest
from anabranch.service.store.rows import ApprovalRow

router = APIRouter(prefix="/v1", route_class=JsonRoute)


class ApprovalView(BaseModel):
    id: str
    job: str
    approval: int
    branch: str
    gate: str
    subject: str
    question: str
    requested_at: Moment
    timeout: float | None
    default: str
    decision: str | None
    edit: str | None
    reason: str | None
    decided_at: Moment | None


class Approvals(BaseModel):
    items: list[ApprovalView]


@router.get("/approvals", tags=["approvals"], responses=problems())
async def approvals(
    deps: Injected, caller: CurrentCaller, status: Literal["pending", "decided"] = "pending"
) -> Approvals:
    """The gates where jobs wait for a person."""
    rows = await deps.store.jobs.list_approvals(status, tenant=caller.scope)
    asked = {job: (await deps.store.jobs.get(job)).spec.question for job in {row.job for row in rows}}
    return Approvals(items=[_approval(row, asked[row.job]) for row in rows])


@router.post("/approvals/{approval}", tags=["approvals"], responses=problems(400, 404, 409, 413, 415))
async def decide(approval: str, sent: DecisionRequest, deps: Injected, caller: CurrentCaller) -> ApprovalView:
    """Decide. The first decision stands."""
    row = await deps.store.jobs.decide_approval(
        approval,
        sent.decision,
        edit=sent.edit,
        by="client" if deps.tenants is None else caller.tenant,
        reason=sent.reason,
        tenant=caller.scope,
    )
    deps.organizers.nudge(row.job)
    return _approval(row, (await deps.store.jobs.get(row.job)).spec.question)


def _approval(row: ApprovalRow, question: str) -> ApprovalView:
    return ApprovalView(
        id=row.id,
        job=row.job,
        approval=row.ordinal,
        branch=row.branch,
        gate=row.gate,
        subject=row.subject,
        question=question,
        requested_at=row.requested_at,
        timeout=(row.expires_at - row.requested_at).total_seconds() if row.expires_at else None,
        default=row.at_timeout,
        decision=row.decision,
        edit=row.edit,
        reason=row.reason,
        decided_at=row.decided_at,
    )
