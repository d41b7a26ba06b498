"""What is derived from a job's journal: graph, branches, audit, exports."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from anabranch.dag.analysis.graph import EdgeKind, NodeKind
from anabranch.dag.events import Record
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.status import NodeStatus
from anabranch.service.api.live.dependencies import Dependencies, Injected
from anabranch.service.api.problems import problems
from anabranch.service.api.views.branch import branch_json
from anabranch.service.api.views.graph import graph_json
from anabranch.service.exports.jsonl import jsonl
from anabranch.service.exports.otlp import otlp
from anabranch.service.exports.perfetto import perfetto
from anabranch.service.store.errors import NotFound
from anabranch.service.store.maintenance import audits
from anabranch.service.store.rows import JobRow
from anabranch.service.telemetry.ids import origin_of_job
from anabranch.service.telemetry.spans import spans_of

Format = Literal["jsonl", "perfetto", "otlp"]
MEDIA_TYPES: dict[Format, str] = {
    "jsonl": "application/x-ndjson",
    "perfetto": "application/json",
    "otlp": "application/json",
}

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
    return await asyncio.to_thread(branch_json, await _journal(deps, job), branch, segment)


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


@router.get("/export", response_class=StreamingResponse, responses=problems(404))
async def export(
    job: JobId, deps: Injected, form: Annotated[Format, Query(alias="format", description="Of the file.")]
) -> StreamingResponse:
    """The journal as a file for other tools: JSON lines, a Perfetto trace, or OTLP/JSON spans."""
    row = await deps.store.jobs.get(job)
    records = await deps.store.journal.read(job)
    model = deps.settings.model or "default"
    pieces = await asyncio.to_thread(lambda: list(_written(form, row, records, model)))
    return StreamingResponse(
        iter(pieces),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{row.id}.{form}"'},
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


def _written(form: Format, row: JobRow, records: Sequence[Record], model: str) -> Iterator[str]:
    match form:
        case "jsonl":
            return jsonl(records)
        case "perfetto":
            return perfetto(records)
        case "otlp":
            return otlp(spans_of(records, origin_of_job(row.trace_id, row.traceparent), model))
