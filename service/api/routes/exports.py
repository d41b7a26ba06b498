"""Serves a job's journal as a file, in any form of `service/exports`."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel
from starlette.responses import StreamingResponse

from anabranch.dag.ids import JobId
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.problems import problems
from anabranch.service.exports.registry import ExportedJob, export_formats
from anabranch.service.telemetry.ids import origin_of_job

router = APIRouter(prefix="/v1", tags=["journals"])


class ExportFormatView(BaseModel):
    name: str
    title: str
    media_type: str


class ExportFormats(BaseModel):
    items: list[ExportFormatView]


def _known(name: str) -> str:
    if name not in export_formats():
        raise ValueError(f"is none of {', '.join(export_formats())}")
    return name


Format = Annotated[
    str,
    AfterValidator(_known),
    Query(alias="format", description="Of the file.", json_schema_extra={"enum": list(export_formats())}),
]


@router.get("/exports")
async def formats() -> ExportFormats:
    """The forms in which a job can be exported."""
    views = [
        ExportFormatView(name=form.name, title=form.title, media_type=form.media_type)
        for form in export_formats().values()
    ]
    return ExportFormats(items=views)


@router.get("/jobs/{job}/export", response_class=StreamingResponse, responses=problems(404))
async def export(job: JobId, deps: Injected, name: Format) -> StreamingResponse:
    """The journal as a file for other tools. `/v1/exports` lists the forms."""
    row = await deps.store.jobs.get(job)
    exported = ExportedJob(
        records=await deps.store.journal.read(job),
        origin=origin_of_job(row.trace_id, row.traceparent),
        rewards=await deps.store.feedback.list_rewards(job),
        pool_model=deps.settings.pool_settings()[0].engine.model or "default",
    )
    form = export_formats()[name]
    pieces = await asyncio.to_thread(lambda: list(form.write(exported)))
    return StreamingResponse(
        iter(pieces),
        media_type=form.media_type,
        headers={"Content-Disposition": f'attachment; filename="{row.id}.{name}"'},
    )
