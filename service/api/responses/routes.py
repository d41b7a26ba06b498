"""Serves the Responses API. A conversation's response is a job like any other; the header X-Anabranch-Job names it."""

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response, StreamingResponse

from anabranch.dag.job import JobSpec
from anabranch.service.api.auth import CurrentCaller, open_stream
from anabranch.service.api.body import JsonRoute
from anabranch.service.api.live import sse
from anabranch.service.api.live.dependencies import Dependencies, Injected
from anabranch.service.api.live.news import wait_until_over
from anabranch.service.api.problems import Fault, bad_input, bad_request, faults_of, problems
from anabranch.service.api.responses.conversation import earlier_messages
from anabranch.service.api.responses.items import list_items
from anabranch.service.api.responses.request import MEANT_BY, ResponseRequest
from anabranch.service.api.responses.serving import ResponseReader
from anabranch.service.api.responses.view import job_of
from anabranch.service.api.routes.chat import JOB_HEADER, find_model
from anabranch.service.api.routes.jobs import IdempotencyKey, Traceparent, make_spec, submit_spec
from anabranch.service.api.views.model_name import PREFIX
from anabranch.service.store.errors import NotFound
from anabranch.service.store.jobs.responses import ResponseRow
from anabranch.service.store.rows import NewResponse
from anabranch.service.tenants.callers import Caller

CANCEL_SECONDS = 2.0
"""How long the answer to a cancel waits for the job to end."""
OBJECT = {"type": "object"}
STREAMED: dict[str, Any] = {
    "description": "The response; or, with `stream`, its events.",
    "content": {
        "application/json": {"schema": OBJECT},
        **sse.TOLD,
    },
}
LARGEST = 2**53 - 1
_CHATS_WORDS = re.compile(rf"\b({'|'.join(MEANT_BY)})\b")

router = APIRouter(prefix="/v1/responses", tags=["openai"], route_class=JsonRoute)


async def find_response(response: str, deps: Injected, caller: CurrentCaller) -> ResponseRow:
    """The caller's response of this id. Raises NotFound."""
    job = job_of(response)
    if job is None:
        raise NotFound("response", response[:100])
    return await deps.store.responses.get(job, caller.scope)


Found = Annotated[ResponseRow, Depends(find_response)]


@router.post(
    "",
    response_class=Response,
    responses={200: STREAMED, **problems(400, 403, 404, 408, 409, 413, 415, 429, 500)},
)
async def create(
    sent: ResponseRequest,
    request: Request,
    deps: Injected,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
    traceparent: Traceparent = None,
) -> Response:
    """Ask a policy as if it were a model. In the background it answers at once; the response is asked for by its id.

    With `stream`, what the branches do comes as a summary of the reasoning, then the answer.
    """
    spec = await make_response_spec(sent, deps, caller)
    asked = with_model(sent, deps)
    response = NewResponse(request=asked, previous=job_of(sent.previous_response_id or ""))
    if sent.stream:
        await open_stream(request)
    submitted = await submit_spec(
        deps,
        caller,
        spec,
        idempotency_key,
        sent,
        traceparent,
        response=response if sent.stored else None,
        params_at="anabranch.params",
    )
    reader = ResponseReader(deps, submitted.job, asked)
    headers: dict[str, str] = {JOB_HEADER: submitted.job.id}
    findable = bool(sent.background or idempotency_key)
    if sent.stream:
        events = reader.stream_to_maker(request, findable=findable)
        return StreamingResponse(events, media_type=sse.MEDIA_TYPE, headers=sse.HEADERS | headers)
    if sent.background:
        return JSONResponse(await reader.read(), headers=headers)
    return await reader.wait(request, headers, findable=findable)


@router.get("/{response}", response_class=Response, responses={200: STREAMED, **problems(400, 404)})
async def retrieve(
    request: Request,
    found: Found,
    deps: Injected,
    stream: bool = False,
    starting_after: Annotated[
        int | None, Query(ge=0, le=LARGEST, description="With `stream`: the number of the last event seen.")
    ] = None,
) -> Response:
    """One response as it is; or, with `stream`, its events: all of them, or those behind one that was seen."""
    reader = ResponseReader(deps, found.job, found.request)
    headers: dict[str, str] = {JOB_HEADER: found.job.id}
    if starting_after is not None and not stream:
        raise bad_input(
            [Fault(path="starting_after", message="it goes with stream=true, and only with that")]
        )
    if not stream:
        return JSONResponse(await reader.read(), headers=headers)
    await open_stream(request)
    if starting_after is not None:
        await reader.check_seen(starting_after)
    events = reader.stream(-1 if starting_after is None else starting_after)
    return StreamingResponse(events, media_type=sse.MEDIA_TYPE, headers=sse.HEADERS | headers)


@router.post("/{response}/cancel", responses=problems(404))
async def cancel(found: Found, deps: Injected) -> dict[str, Any]:
    """Ask that a response stops. Idempotent; one that has ended stays as it is."""
    job = await deps.store.jobs.request_cancel(found.job.id, "asked for by a client")
    if job.finished_at is None:
        deps.organizers.nudge(job.id)
        await wait_until_over(deps.feed, job.id, job.head_seq, CANCEL_SECONDS)
        job = await deps.store.jobs.get(job.id)
    return await ResponseReader(deps, job, found.request).read()


@router.delete("/{response}", responses=problems(404))
async def delete(response: str, found: Found, deps: Injected, caller: CurrentCaller) -> dict[str, Any]:
    """Delete a response, with what was sent for it; one that has not ended is cancelled. Its job stays, with its
    journal, until it is purged."""
    await deps.store.responses.delete(found.job.id, "its response was deleted", caller.scope)
    deps.organizers.nudge(found.job.id)
    return {"id": response, "object": "response", "deleted": True}


@router.get("/{response}/input_items", responses=problems(400, 404))
async def input_items(
    found: Found,
    after: Annotated[str | None, Query(description="`last_id` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> dict[str, Any]:
    """What this response was sent; not what came before it."""
    items = list_items(found.request["input"], found.job.id)
    if order == "desc":
        items.reverse()
    ids = [item["id"] for item in items]
    if after is not None and after not in ids:
        raise bad_request("bad-cursor", f"This response has no item {after[:100]!r}.")
    begin = 0 if after is None else ids.index(after) + 1
    page = items[begin : begin + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": begin + limit < len(items),
    }


def with_model(sent: ResponseRequest, deps: Dependencies) -> dict[str, Any]:
    """What was sent, with the name of the model where that was left out."""
    return {**sent.model_dump(mode="json", by_alias=True, exclude_none=True), "model": _model(sent, deps)}


def _model(sent: ResponseRequest, deps: Dependencies) -> str:
    return sent.model or PREFIX + deps.settings.policy


async def make_response_spec(sent: ResponseRequest, deps: Dependencies, caller: Caller) -> JobSpec:
    """The job that the request asks for. Raises Refused."""
    model = _model(sent, deps)
    await find_model(model, deps)
    earlier = await earlier_messages(deps, caller, sent.previous_response_id)
    try:
        asked = sent.as_chat(model, earlier).as_job()
    except ValidationError as error:
        raise bad_input([_as_sent(fault) for fault in faults_of(error)]) from error
    return make_spec(
        asked, deps.settings, params_at="anabranch.params", format_at="text.format", tools_at="tools"
    )


def _as_sent(fault: Fault) -> Fault:
    """The fault of a chat completion, in the words that its fields have here."""
    first, dot, rest = fault.path.partition(".")
    message = _CHATS_WORDS.sub(lambda found: MEANT_BY[found[0]], fault.message)
    return Fault(path=MEANT_BY.get(first, first) + dot + rest, message=message)
