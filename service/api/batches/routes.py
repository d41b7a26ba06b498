"""Serves batches: made of an uploaded file, as OpenAI's clients do it, or of lines that are sent at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.responses import JSONResponse, StreamingResponse

from anabranch.service.api.auth import CurrentCaller
from anabranch.service.api.batches.asking import ENDPOINTS
from anabranch.service.api.batches.uploads import check, end_of, keep, one_of_few, spooled
from anabranch.service.api.batches.views import batch_json, list_json
from anabranch.service.api.body import JsonRequest
from anabranch.service.api.live.dependencies import Dependencies, Injected
from anabranch.service.api.new_jobs import digest_of
from anabranch.service.api.problems import Fault, bad_input, faults_of, problems
from anabranch.service.api.routes.jobs import IdempotencyKey
from anabranch.service.api.views.fields import Sent
from anabranch.service.api.views.neutral import Taken
from anabranch.service.store.batches.batches import BatchRow, NewBatch
from anabranch.service.store.batches.files import FileRow
from anabranch.service.store.errors import BatchConflict
from anabranch.service.tenants.callers import Caller

JSON_LINES = "application/jsonl"
PAGE = 50
"""Results that are read at once when they are sent."""
Name = Annotated[str, Field(max_length=64)]
Words = Annotated[dict[Name, Annotated[str, Field(max_length=512)]], Field(max_length=16)]
"""OpenAI's bounds of metadata."""
OBJECT: dict[str, Any] = {"type": "object"}
SENT_LINES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Lines of JSON.", "content": {JSON_LINES: {"schema": {"type": "string"}}}}
}
TOLD: dict[int | str, dict[str, Any]] = {
    200: {"description": "The batch.", "content": {"application/json": {"schema": OBJECT}}}
}


class BatchRequest(Sent):
    """A batch of an uploaded file. Null is the same as leaving a field out."""

    input_file_id: str
    endpoint: str = Field(description=f"What the lines of the file ask: one of {', '.join(ENDPOINTS)}.")
    completion_window: str = Field(default="24h", description="Lines without an answer by then have none.")
    metadata: Words | None = None
    output_expires_after: Taken = None


router = APIRouter(prefix="/v1/batches", tags=["batches"])


@router.post(
    "",
    responses={**TOLD, **problems(400, 404, 409, 413, 415, 429)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": BatchRequest.model_json_schema()},
                JSON_LINES: {
                    "schema": {
                        "type": "string",
                        "description": "A job, as POST /v1/jobs takes it, in each line.",
                    }
                },
            },
        }
    },
)
async def create(
    request: Request,
    deps: Injected,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
    completion_window: Annotated[str, Query(description="Of a batch of lines.")] = "24h",
) -> JSONResponse:
    """Make a batch: of an uploaded file, or of the lines in this body. All its lines are checked before any is written;
    the same key and body again give the same batch."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        batch = await _of_file(request, deps, caller, idempotency_key)
    else:
        batch = await _of_lines(request, deps, caller, idempotency_key, completion_window)
    return JSONResponse(batch_json(batch), headers={"Location": f"/v1/batches/{batch.id}"})


@router.get("", responses={**TOLD, **problems(404)})
async def list_batches(
    deps: Injected,
    caller: CurrentCaller,
    after: Annotated[str | None, Query(description="`last_id` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """Batches, newest first."""
    rows = await deps.store.batches.list_page(limit + 1, after or None, caller.scope)
    return list_json([batch_json(row) for row in rows], limit)


@router.get("/{batch}", responses={**TOLD, **problems(404)})
async def retrieve(batch: str, deps: Injected, caller: CurrentCaller) -> dict[str, Any]:
    """One batch: how many of its lines have an answer, and where the answers are once it has ended."""
    return batch_json(await deps.store.batches.get(batch, caller.scope))


@router.post("/{batch}/cancel", responses={**TOLD, **problems(404)})
async def cancel(batch: str, deps: Injected, caller: CurrentCaller) -> dict[str, Any]:
    """Ask that a batch stops: what has not ended is cancelled. Idempotent; one that has ended stays as it is."""
    for job in await deps.store.batches.stop(batch, "cancelled", caller.scope):
        deps.organizers.nudge(job)
    return batch_json(await deps.store.batches.get(batch, caller.scope))


@router.get("/{batch}/results", responses={**SENT_LINES, **problems(404)}, response_class=StreamingResponse)
async def results(batch: str, deps: Injected, caller: CurrentCaller) -> StreamingResponse:
    """What came of the lines, answers and errors, in the order of the file; of a batch that runs, what there is."""
    row = await deps.store.batches.get(batch, caller.scope)
    return StreamingResponse(send_results(deps, row), media_type=JSON_LINES)


async def send_results(
    deps: Dependencies, batch: BatchRow, *, succeeded: bool | None = None
) -> AsyncIterator[bytes]:
    """Results, page by page: what is in memory is one page."""
    after = 0
    while page := await deps.store.batches.read_results(batch.id, after, PAGE, succeeded=succeeded):
        yield "".join(f"{result.text}\n" for result in page).encode()
        after = page[-1].number


async def _of_file(request: Request, deps: Dependencies, caller: Caller, key: str | None) -> BatchRow:
    try:
        sent = BatchRequest.model_validate(await JsonRequest(request.scope, request.receive).json())
    except ValidationError as error:
        raise bad_input(faults_of(error)) from error
    except json.JSONDecodeError as error:
        told = {
            "type": "json_invalid",
            "loc": ("body", error.pos),
            "msg": "JSON decode error",
            "ctx": {"error": error.msg},
        }
        raise RequestValidationError([told]) from error
    over, digest = end_of(sent.completion_window), digest_of(sent)
    if (made := await _made_before(deps, caller, key, digest)) is not None:
        return made
    file = await deps.store.files.get(sent.input_file_id, caller.scope)
    if sent.endpoint != file.endpoint:
        raise bad_input([Fault(path="endpoint", message=f"the lines of {file.id} ask {file.endpoint}")])
    new = NewBatch(
        tenant=caller.tenant,
        file=file.id,
        endpoint=file.endpoint,
        completion_window=sent.completion_window,
        expires_at=over,
        total=file.lines,
        metadata=sent.metadata or {},
        idempotency_key=key,
        body_digest=digest,
    )
    batch, _ = await deps.store.batches.create(new)
    return batch


async def _of_lines(
    request: Request, deps: Dependencies, caller: Caller, key: str | None, window: str
) -> BatchRow:
    over = end_of(window)
    async with one_of_few(caller), spooled(request) as file:
        checked = await check(deps, caller, file, plain=True)
        if (made := await _made_before(deps, caller, key, checked.digest)) is not None:
            return made
        kept = await keep(deps, caller, file, "batch.jsonl", checked, plain=True)
    new = NewBatch(
        tenant=caller.tenant,
        file=kept.id,
        endpoint=kept.endpoint,
        completion_window=window,
        expires_at=over,
        total=kept.lines,
        idempotency_key=key,
        body_digest=checked.digest,
    )
    return await _create(deps, new, kept)


async def _made_before(deps: Dependencies, caller: Caller, key: str | None, digest: str) -> BatchRow | None:
    """The batch that the same key and body made, whatever has become of its file. Raises BatchConflict."""
    made = await deps.store.batches.find(caller.tenant, key) if key is not None else None
    if made is not None and key is not None and made.body_digest != digest:
        raise BatchConflict(key, made.id)
    return made


async def _create(deps: Dependencies, new: NewBatch, kept: FileRow) -> BatchRow:
    """The batch of lines that were written for it; they go where it is not made of them."""
    try:
        batch, created = await deps.store.batches.create(new)
    except BaseException:
        await asyncio.shield(deps.store.files.delete(kept.id))
        raise
    if not created:
        await deps.store.files.delete(kept.id)
    return batch
