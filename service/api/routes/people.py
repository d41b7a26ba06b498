"""Where people come in: the gates at which they decide, and the policies they choose from."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from anabranch.dag.policy import catalogue
from anabranch.service.api.auth import Called
from anabranch.service.api.live.dependencies import Backed
from anabranch.service.api.problems import problems
from anabranch.service.api.views.job import Moment
from anabranch.service.api.views.requests import DecisionRequest
from anabranch.service.policies import params_schema
from anabranch.service.store.rows import ApprovalRow

router = APIRouter(prefix="/v1")


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


class PolicyInfoView(BaseModel):
    name: str
    title: str
    paper: str
    use_when: str
    version: str
    params: dict[str, Any]
    default: bool


class Policies(BaseModel):
    items: list[PolicyInfoView]


@router.get("/approvals", tags=["approvals"], responses=problems())
async def approvals(
    backing: Backed, caller: Called, status: Literal["pending", "decided"] = "pending"
) -> Approvals:
    """The gates where jobs wait for a person."""
    rows = await backing.store.approvals(status, tenant=caller.scope)
    asked = {job: (await backing.store.job(job)).spec.question for job in {row.job for row in rows}}
    return Approvals(items=[_approval(row, asked[row.job]) for row in rows])


@router.post("/approvals/{approval}", tags=["approvals"], responses=problems(400, 404, 409, 413, 415))
async def decide(approval: str, sent: DecisionRequest, backing: Backed, caller: Called) -> ApprovalView:
    """Decide. The first decision stands."""
    row = await backing.store.decide_approval(
        approval,
        sent.decision,
        edit=sent.edit,
        by="client" if backing.tenants is None else caller.tenant,
        reason=sent.reason,
        tenant=caller.scope,
    )
    backing.organizers.nudge(row.job)
    return _approval(row, (await backing.store.job(row.job)).spec.question)


@router.get("/policies", tags=["policies"])
async def policies(backing: Backed) -> Policies:
    """The policies, each with its source and the JSON Schema of its parameters."""
    found = sorted(catalogue().values(), key=lambda info: info.name)
    return Policies(
        items=[
            PolicyInfoView(
                name=info.name,
                title=info.title,
                paper=info.paper,
                use_when=info.use_when,
                version=info.version,
                params=params_schema(info),
                default=info.name == backing.settings.policy,
            )
            for info in found
        ]
    )


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
