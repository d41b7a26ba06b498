"""Serves gates: where jobs wait for a person, and what the person decides."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from anabranch.service.api.auth import CurrentCaller
from anabranch.service.api.body import JsonRoute
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.problems import Fault, bad_input, problems
from anabranch.service.api.views.asked import AskedChild, BudgetLeft, budget_left, children_asked
from anabranch.service.api.views.job import Moment
from anabranch.service.api.views.requests import DecisionRequest
from anabranch.service.store.rows import ApprovalRow
from anabranch.service.tenants.callers import ANYBODY

LONGEST = 20_000
"""Events of a journal that is replayed for a look at a gate."""

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


class ApprovalDetail(ApprovalView):
    children: list[AskedChild] | None = Field(
        description="Of a fork or a merge that waits: the branches. Null for other gates, and where it cannot be told."
    )
    left: list[BudgetLeft] = Field(description="Each limit of the job's budget, and what of it is spent.")


class Approvals(BaseModel):
    items: list[ApprovalView]
    next_cursor: str | None


@router.get("/approvals", tags=["approvals"], responses=problems(400))
async def approvals(
    deps: Injected,
    caller: CurrentCaller,
    status: Literal["pending", "decided"] = "pending",
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> Approvals:
    """The gates where jobs wait for a person, oldest first; or those that are decided, newest first."""
    page = await deps.store.jobs.list_approval_page(
        status, tenant=caller.scope, limit=limit, cursor=cursor or None
    )
    items = [_approval(row, question) for row, question in page.items]
    return Approvals(items=items, next_cursor=page.next_cursor)


@router.get("/approvals/{approval}", tags=["approvals"], responses=problems(404))
async def approval(approval: str, deps: Injected, caller: CurrentCaller) -> ApprovalDetail:
    """One gate with what stands behind its subject: the branches that would be forked, and what is left to spend."""
    row = await deps.store.jobs.get_approval(approval, caller.scope)
    job = await deps.store.jobs.get(row.job)
    branches = await deps.store.jobs.count_branches(row.job)
    records = (
        await deps.store.journal.read(row.job) if row.decision is None and job.head_seq <= LONGEST else ()
    )
    children = await asyncio.to_thread(children_asked, records, row.ordinal)
    return ApprovalDetail(
        **_approval(row, job.spec.question).model_dump(),
        children=children,
        left=budget_left(job, branches, datetime.now(UTC)),
    )


@router.post("/approvals/{approval}", tags=["approvals"], responses=problems(400, 404, 409, 413, 415))
async def decide(approval: str, sent: DecisionRequest, deps: Injected, caller: CurrentCaller) -> ApprovalView:
    """Decide. The first decision stands. An edited fork has a line for each branch: one that is left out is not forked,
    a changed one rewords a branch, and there are no more than were asked for."""
    if sent.decision == "edit":
        _refuse_more_branches(await deps.store.jobs.get_approval(approval, caller.scope), sent.edit or "")
    row = await deps.store.jobs.decide_approval(
        approval,
        sent.decision,
        edit=sent.edit,
        by="client" if caller is ANYBODY else caller.tenant,
        reason=sent.reason,
        tenant=caller.scope,
    )
    deps.organizers.nudge(row.job)
    return _approval(row, (await deps.store.jobs.get(row.job)).spec.question)


def _refuse_more_branches(row: ApprovalRow, edit: str) -> None:
    """Raises Refused for an edited fork that asks for more branches than its policy did."""
    asked, edited = (sum(map(bool, map(str.strip, text.splitlines()))) for text in (row.subject, edit))
    if row.gate == "fork" and edited > asked:
        told = f"has {edited} lines, and {asked} branches are asked for: leave lines out or reword them, add none"
        raise bad_input([Fault(path="edit", message=told)])


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
