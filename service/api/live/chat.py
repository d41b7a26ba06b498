"""Waits for a chat client's job: the whole completion, or chunks while the job runs.

Who goes away before the end cancels the job, unless somebody else may still ask for it: another who follows it, or
whoever holds the Idempotency-Key that made it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from anabranch.dag import events as e
from anabranch.dag.decoding import Usage
from anabranch.service.api.live import sse
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.following import await_end, batches
from anabranch.service.api.openai_errors import failure_json
from anabranch.service.api.views.chat import (
    Envelope,
    answer_tokens,
    chunk_json,
    completion_json,
    finish_reason,
    usage_chunk_json,
)
from anabranch.service.api.views.chat_request import ChatRequest, StreamOptions
from anabranch.service.api.views.job import JobView, job_view
from anabranch.service.store.rows import JobRow

LOOK_SECONDS = 1.0
"""How soon a client that went away is noticed; one that streams is at once."""
PING_SECONDS = 5.0
CLIENT_CLOSED = 499
NO_RETRY = {"x-should-retry": "false"}
"""The job has had its retries; OpenAI's client would ask for two more jobs."""
DONE = b"data: [DONE]\n\n"
_ERRANDS: set[asyncio.Task[bool]] = set()


class ChatWait:
    """A chat client that waits for a job. `keyed`: its request carried an Idempotency-Key."""

    def __init__(self, deps: Dependencies, job: JobRow, sent: ChatRequest, *, keyed: bool) -> None:
        self._deps = deps
        self._job = job.id
        self._envelope = Envelope(job.id, sent.model, int(job.created_at.timestamp()))
        self._asked = sent.stream_options or StreamOptions()
        self._keyed = keyed
        self._usage = Usage()

    async def complete(self, request: Request, headers: dict[str, str]) -> Response:
        """The answer when the job has ended."""
        with self._deps.feed.follow(
            self._job
        ):  # so that others who wait see that this one does, all the time
            job = await self._read()
            while job.finished_at is None:
                if await request.is_disconnected():
                    await self._leave(others=self._deps.feed.followers(self._job) - 1)
                    return Response(status_code=CLIENT_CLOSED)
                await await_end(self._deps.feed, self._job, job.head_seq, LOOK_SECONDS)
                job = await self._read()
        if job.answer is None:
            status, failure = failure_json(job)
            return JSONResponse(failure, status, headers | NO_RETRY)
        completion = completion_json(self._envelope, job, await self._answer_tokens(job))
        return JSONResponse(completion, headers=headers)

    async def stream(self, request: Request) -> AsyncIterator[bytes]:
        """What the branches do, as reasoning; then the answer, as content."""
        yield self._chunk({"role": "assistant", "content": ""})
        with self._deps.feed.follow(self._job) as follower:
            try:
                async for records in batches(self._deps.feed, follower, PING_SECONDS):
                    self._count(record.event for record in records)
                    told = "".join(_tell(record.event) for record in records)
                    yield self._chunk({"reasoning_content": told}) if told else sse.PING
            finally:
                # This generator may be being thrown away: then whatever is still to be done, others must do.
                if not follower.ended:
                    _run_apart(self._leave_if_gone(request))
        job = await self._read()
        for chunk in self._end(job, await self._answer_tokens(job)):
            yield chunk

    def _end(self, job: JobView, of_answer: int) -> list[bytes]:
        if job.answer is None:
            return [_data(failure_json(job)[1]), DONE]
        chunks = [self._chunk({"content": job.answer.text}), self._chunk({}, finish_reason(job))]
        if self._asked.include_usage:
            chunks.append(_data(usage_chunk_json(self._envelope, job, of_answer)))
        return [*chunks, DONE]

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        usage = self._usage if self._asked.continuous_usage_stats else None
        return _data(chunk_json(self._envelope, delta, finish, usage))

    def _count(self, events: Iterable[e.Event]) -> None:
        """Adds what finished segments cost to the usage so far."""
        for event in events:
            if isinstance(event, e.SegmentFinished):
                self._usage += event.decoded.usage

    async def _read(self) -> JobView:
        return job_view(await self._deps.store.jobs.get(self._job))

    async def _answer_tokens(self, job: JobView) -> int:
        return answer_tokens(job, await self._deps.store.jobs.list_branches(self._job))

    async def _leave_if_gone(self, request: Request) -> bool:
        """Whether it was the client that went, and not this server."""
        gone = await request.is_disconnected()
        if gone:
            await self._leave(others=self._deps.feed.followers(self._job))
        return gone

    async def _leave(self, *, others: int) -> None:
        if self._keyed or others > 0:
            return
        await self._deps.store.jobs.request_cancel(self._job, "the client went away")
        self._deps.organizers.nudge(self._job)


def _run_apart(errand: Coroutine[None, None, bool]) -> None:
    task = asyncio.create_task(errand)
    _ERRANDS.add(task)
    task.add_done_callback(_ERRANDS.discard)


def _data(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()


def _tell(event: e.Event) -> str:
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
