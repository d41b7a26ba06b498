"""Serves the files of batches, as OpenAI's clients know them: what was uploaded, and what came of it."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from anabranch.service.api.auth import CurrentCaller
from anabranch.service.api.batches.routes import JSON_LINES, OBJECT, PAGE, SENT_LINES, send_results
from anabranch.service.api.batches.uploads import check, keep, one_of_few, uploaded
from anabranch.service.api.batches.views import OUTPUT, batch_of_results, file_json, list_json, results_json
from anabranch.service.api.live.dependencies import Dependencies, Injected
from anabranch.service.api.problems import Refusal, Refused, problems
from anabranch.service.store.batches.batches import BatchRow
from anabranch.service.store.batches.files import Order
from anabranch.service.store.errors import NotFound
from anabranch.service.tenants.callers import Caller

FORM = {
    "type": "object",
    "required": ["purpose", "file"],
    "properties": {"purpose": {"const": "batch"}, "file": {"type": "string", "format": "binary"}},
}
TOLD: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"application/json": {"schema": OBJECT}}}
}
MOST_LISTED = 10_000

router = APIRouter(prefix="/v1/files", tags=["batches"])


@router.post(
    "",
    responses={**TOLD, **problems(400, 409, 413, 415, 429)},
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}},
)
async def upload(request: Request, deps: Injected, caller: CurrentCaller) -> dict[str, Any]:
    """Upload the lines of a batch. Each is checked as its endpoint would; where one is wrong, nothing is written."""
    async with one_of_few(caller), uploaded(request) as (file, name):
        checked = await check(deps, caller, file, plain=False)
        return file_json(await keep(deps, caller, file, name, checked, plain=False))


@router.get("", responses={**TOLD, **problems(404)})
async def list_files(
    deps: Injected,
    caller: CurrentCaller,
    after: Annotated[str | None, Query(description="`last_id` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = MOST_LISTED,
    order: Order = "desc",
    purpose: str | None = None,
) -> dict[str, Any]:
    """Files that were uploaded. Those of results are named by their batches."""
    if purpose not in (None, "", "batch"):
        return list_json([], limit)
    rows = await deps.store.files.list_page(limit + 1, after or None, caller.scope, order)
    return list_json([file_json(row) for row in rows], limit)


@router.get("/{file}", responses={**TOLD, **problems(404)})
async def retrieve(file: str, deps: Injected, caller: CurrentCaller) -> dict[str, Any]:
    """One file: what was uploaded, or the results of a batch that has ended."""
    found = await _results(file, deps, caller)
    if found is None:
        return file_json(await deps.store.files.get(file, caller.scope))
    batch, kind = found
    return results_json(batch, kind, await deps.store.batches.measure(batch.id, succeeded=kind == OUTPUT))


@router.get("/{file}/content", responses={**SENT_LINES, **problems(404)}, response_class=StreamingResponse)
async def content(file: str, deps: Injected, caller: CurrentCaller) -> StreamingResponse:
    """Its lines."""
    found = await _results(file, deps, caller)
    if found is None:
        row = await deps.store.files.get(file, caller.scope)
        return StreamingResponse(_send_lines(deps, row.id), media_type=JSON_LINES)
    batch, kind = found
    return StreamingResponse(send_results(deps, batch, succeeded=kind == OUTPUT), media_type=JSON_LINES)


@router.delete("/{file}", responses={**TOLD, **problems(404, 409)})
async def delete(file: str, deps: Injected, caller: CurrentCaller) -> dict[str, Any]:
    """Delete what was uploaded, once no batch reads it. Results stay with their batch until that is purged."""
    if await _results(file, deps, caller) is not None:
        detail = f"{file} belongs to its batch, and goes when that is purged. Nothing was deleted."
        raise Refused(Refusal(status=409, name="results", title="The results of a batch", detail=detail))
    await deps.store.files.delete(file, caller.scope)
    return {"id": file, "object": "file", "deleted": True}


async def _results(file: str, deps: Dependencies, caller: Caller) -> tuple[BatchRow, str] | None:
    """The batch whose results this file has; None for any other file. Raises NotFound before the batch has ended."""
    named = batch_of_results(file)
    if named is None:
        return None
    batch = await deps.store.batches.get(named[0], caller.scope)
    if batch.ended_at is None:
        raise NotFound("file", file)
    return batch, named[1]


async def _send_lines(deps: Dependencies, file: str) -> AsyncIterator[bytes]:
    after = 0
    while page := await deps.store.files.read_lines(file, after, PAGE):
        yield "".join(f"{line.text}\n" for line in page).encode()
        after = page[-1].number
