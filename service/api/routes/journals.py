"""Serves what is derived from a job's journal: graph, branches, audit."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from anabranch.dag.analysis.graph import EdgeKind, NodeKind
from anabranch.dag.events import Record
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.status import NodeStatus
from anabranch.service.api.live.dependencies import Dependencies, Injected
from anabranch.service.api.live.queueing import wait_for_models
from anabranch.service.api.problems import problems
from anabranch.service.api.views.branch import branch_json
from anabranch.service.api.views.graph import graph_json
from anabranch.service.store.errors import NotFound
from anabranch.service.store.maintenance import audits

router = APIRouter(prefix="/v1/jobs/{job}", tags=["journals"])


class GraphNode(BaseModel):
    id: str
    branch: str
    kind: NodeKind
    status: NodeStatus
    tokens: int
    started_at: str | None
    first_token_at: str | None
    finished_at: str | None
    queue_seconds: float
    critical: bool = Field(description="On the critical path in tokens.")
    critical_seconds: bool = Field(description="On the critical path in seconds of work.")


class GraphEdge(BaseModel):
    source: str
    target: str
    kind: EdgeKind


class Graph(BaseModel):
    nodes: list[GraphNode]
    edges: list[GraphEdge]


class Broken(BaseModel):
    seq: int
    reason: str = Field(description="What was done to it: changed, missing, added or reordered.")


class Difference(BaseModel):
    """A value in a table that is not what the journal gives."""

    table: str
    key: list[str]
    column: str
    stored: str
    folded: str


class Audit(BaseModel):
    """Whether the hash chain holds, and the projections equal a rebuild from the journal."""

    job: str
    ok: bool
    events: int
    head_hash: str
    broken: Broken | None = Field(description="The first bad record.")
    differences: list[Difference]


@router.get("/graph", response_model=Graph, responses=problems(404))
async def graph(job: JobId, deps: Injected) -> dict[str, Any]:
    """The reasoning graph as it is now, both critical paths marked."""
    return await asyncio.to_thread(graph_json, await _journal(deps, job))


@router.get("/branches/{branch}", responses=problems(404))
async def branch(
    job: JobId,
    branch: BranchId,
    deps: Injected,
    segment: Annotated[int, Query(ge=1, description="Whose context is shown.")] = 1,
) -> dict[str, Any]:
    """One branch: the exact context it was sent, what it wrote, what became of it."""
    records = await _journal(deps, job)
    waits = partial(wait_for_models, deps)
    return await asyncio.to_thread(branch_json, records, branch, segment, waits)


@router.get("/audit", responses=problems(404))
async def audit(job: JobId, deps: Injected) -> Audit:
    """Check the journal: nothing was changed, dropped or added since it was written."""
    found = await deps.store.maintenance.audit(job)
    row = await deps.store.jobs.get(job)
    return Audit(
        job=job,
        ok=found.sound,
        events=found.records,
        head_hash=row.head_hash,
        broken=Broken(seq=found.broken.seq, reason=found.broken.reason) if found.broken else None,
        differences=[_difference(one) for one in found.differences],
    )


async def _journal(deps: Dependencies, job: JobId) -> Sequence[Record]:
    records = await deps.store.journal.read(job)
    if not records:
        raise NotFound("job", job)
    return records


def _difference(found: audits.Difference) -> Difference:
    return Difference(
        table=found.table,
        key=[str(part) for part in found.key],
        column=found.column,
        stored=repr(found.stored),
        folded=repr(found.folded),
    )
