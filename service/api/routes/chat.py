"""OpenAI's surface: every policy is a model. Any OpenAI client works here by changing its base URL.

A conversation is a job like any other; the header X-Anabranch-Job names it. If the client goes away, it is cancelled.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response, StreamingResponse

from anabranch.dag import events as e
from anabranch.dag.ids import JobId
from anabranch.dag.policy import catalogue
from anabranch.service.api.auth import CurrentCaller
from anabranch.service.api.body import JsonRoute
from anabranch.service.api.live import sse
from anabranch.service.api.live.dependencies import Dependencies, Injected
from anabranch.service.api.live.following import await_end, batches
from anabranch.service.api.problems import bad_input, faults_of, problems
from anabranch.service.api.routes.jobs import IdempotencyKey, Traceparent, make_spec, submit_spec
from anabranch.service.api.views.chat import (
    PREFIX,
    ChatRequest,
    chunk_json,
    completion_json,
    error_json,
    finish_reason,
    model_json,
    usage_chunk_json,
)
from anabranch.service.api.views.job import JobView, job_view
from anabranch.service.store.errors import NotFound

JOB_HEADER = "X-Anabranch-Job"
LOOK_SECONDS = 1.0
"""How soon a client that went away is noticed; one that streams is at once."""
PING_SECONDS = 5.0
_ERRANDS: set[asyncio.Task[bool]] = set()
NO_RETRY = {"x-should-retry": "false"}
"""The job has had its retries; OpenAI's client would ask for two more jobs."""
DONE = b"data: [DONE]\n\n"

router = APIRouter(prefix="/v1", tags=["openai"], route_class=JsonRoute)


@router.get("/models")
async def models() -> dict[str, Any]:
    """The policies, as OpenAI lists models."""
    return {"object": "list", "data": [model_json(name) for name in sorted(catalogue())]}


@router.get("/models/{model:path}", responses=problems(404))
async def model(model: str) -> dict[str, Any]:
    """One policy, as OpenAI tells of a model."""
    return model_json(_policy_of(model))


@router.post("/chat/completions", response_model=None, responses=problems(400, 404, 409, 413, 415, 429))
async def chat(
    sent: ChatRequest,
    request: Request,
    deps: Injected,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
    traceparent: Traceparent = None,
) -> Response:
    """Ask a policy as if it were a model. With `stream`, what the branches do comes as reasoning, then the answer."""
    _policy_of(sent.model)
    try:
        asked = sent.as_job()
    except ValidationError as error:
        raise bad_input(faults_of(error)) from error
    spec = make_spec(asked, deps.settings, params_at="anabranch.params")
    submitted = await submit_spec(deps, caller, spec, idempotency_key, sent, traceparent)
    chat = _Chat(deps, submitted.job.id, sent)
    headers: dict[str, str] = {JOB_HEADER: submitted.job.id}
    if sent.stream:
        return StreamingResponse(
            chat.chunks(request), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS | headers
        )
    return await chat.whole(request, headers)


def _policy_of(model: str) -> str:
    """Raises NotFound for a model that is no policy."""
    name = model.removeprefix(PREFIX)
    if name not in catalogue():
        known = ", ".join(PREFIX + one for one in sorted(catalogue()))
        raise NotFound("model", f"{model}; there are: {known}")
    return name


class _Chat:
    """One job that a chat client waits for."""

    def __init__(self, deps: Dependencies, job: JobId, sent: ChatRequest) -> None:
        self._deps = deps
        self._job = job
        self._sent = sent

    async def whole(self, request: Request, headers: dict[str, str]) -> Response:
        job = await self._now()
        while job.finished_at is None:
            if await self._abandoned(request):
                return Response(status_code=499)
            await await_end(self._deps.feed, self._job, job.head_seq, LOOK_SECONDS)
            job = await self._now()
        if job.answer is None:
            return JSONResponse(_failure(job), 500, headers | NO_RETRY)
        return JSONResponse(completion_json(job, self._sent.model), headers=headers)

    async def chunks(self, request: Request) -> AsyncIterator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})
        with self._deps.feed.follow(self._job) as follower:
            try:
                async for records in batches(self._deps.feed, follower, PING_SECONDS):
                    told = "".join(_activity(record.event) for record in records)
                    yield self._chunk({"reasoning_content": told}) if told else sse.PING
            finally:
                # This generator may be being thrown away: then whatever is still to be done, others must do.
                if not follower.ended:
                    self._leave_to_others(self._abandoned(request))
        for chunk in self._ending(await self._now()):
            yield chunk

    def _ending(self, job: JobView) -> list[bytes]:
        if job.answer is None:
            return [_data(_failure(job)), DONE]
        chunks = [self._chunk({"content": job.answer.text}), self._chunk({}, finish_reason(job))]
        options = self._sent.stream_options
        if options is not None and options.include_usage:
            chunks.append(_data(usage_chunk_json(job, self._sent.model)))
        return [*chunks, DONE]

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _data(chunk_json(self._job, self._sent.model, delta, finish))

    async def _now(self) -> JobView:
        return job_view(await self._deps.store.jobs.get(self._job))

    def _leave_to_others(self, errand: Coroutine[None, None, bool]) -> None:
        task = asyncio.create_task(errand)
        _ERRANDS.add(task)
        task.add_done_callback(_ERRANDS.discard)

    async def _abandoned(self, request: Request) -> bool:
        """Cancels the job if it was the client that went, and not this server."""
        if not await request.is_disconnected():
            return False
        await self._deps.store.jobs.request_cancel(self._job, "the client went away")
        self._deps.organizers.nudge(self._job)
        return True


def _data(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()


def _failure(job: JobView) -> dict[str, Any]:
    if job.error is None:
        return error_json(f"Job {job.id} was cancelled.", "job_cancelled", "cancelled")
    return error_json(f"{job.error.title}. {job.error.detail}".strip(), "job_failed", job.error.type)


def _activity(event: e.Event) -> str:
    """What a person who waits wants to read of it; nothing for most events."""
    match event:
        case e.BranchForked():
            label = f": {event.label}" if event.label else ""
            return f"[{event.child}] {event.role}{label}\n"
        case e.SegmentFinished(decoded=decoded) if decoded.text:
            return f"[{event.branch}] {decoded.text}\n"
        case e.BranchesJoined():
            return f"[{event.branch}] joined {', '.join(event.joined)}\n"
        case e.BranchFailed() | e.BranchCancelled():
            return f"[{event.branch}] {'failed' if isinstance(event, e.BranchFailed) else 'cancelled'}\n"
        case _:
            return ""
