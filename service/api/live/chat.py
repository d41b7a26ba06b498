"""Answers a chat client when its job has ended: the whole completion, or chunks while the job runs."""

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from anabranch.dag import events as e
from anabranch.dag.decoding import Usage
from anabranch.service.api.live import sse
from anabranch.service.api.live.answer_stream import AnswerStream, Content, Delta, Ended, Reasoning, Replaced
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.following import follow_news
from anabranch.service.api.live.waiting import CLIENT_CLOSED, Waiting
from anabranch.service.api.openai_errors import failure_json, replaced_json
from anabranch.service.api.views.chat import (
    Envelope,
    answer_tokens,
    calls_delta,
    chunk_json,
    completion_json,
    finish_reason,
    usage_chunk_json,
)
from anabranch.service.api.views.chat_request import ChatRequest, StreamOptions
from anabranch.service.api.views.job import JobView
from anabranch.service.link.frames import Texts
from anabranch.service.store.rows import JobRow

PING_SECONDS = 5.0
NO_RETRY = {"x-should-retry": "false"}
"""The job has had its retries; OpenAI's client would ask for two more jobs."""
DONE = b"data: [DONE]\n\n"


class ChatWait:
    """A chat client that waits for a job. `keyed`: its request carried an Idempotency-Key."""

    def __init__(self, deps: Dependencies, job: JobRow, sent: ChatRequest, *, keyed: bool) -> None:
        self._deps = deps
        self._job = job.id
        self._spec = job.spec
        self._envelope = Envelope(
            job.id, sent.model, int(job.created_at.timestamp()), older=bool(sent.functions)
        )
        self._asked = sent.stream_options or StreamOptions()
        self._waiting = Waiting(deps, job.id, findable=keyed)
        self._usage = Usage()

    async def complete(self, request: Request, headers: dict[str, str]) -> Response:
        """The answer when the job has ended."""
        job = await self._waiting.await_end(request)
        if job is None:
            return Response(status_code=CLIENT_CLOSED)
        if job.answer is None:
            status, failure = failure_json(job)
            return JSONResponse(failure, status, headers | NO_RETRY)
        completion = completion_json(self._envelope, job, await self._answer_tokens(job))
        return JSONResponse(completion, headers=headers)

    async def stream(self, request: Request) -> AsyncIterator[bytes]:
        """What the branches do, and what the final thought thinks, as reasoning; the answer as content, as it comes."""
        yield self._chunk({"role": "assistant", "content": ""})
        answer = AnswerStream(self._spec)
        with self._deps.feed.follow(self._job, texts=Texts.ANSWER) as follower:
            try:
                async for news in follow_news(follower, PING_SECONDS):
                    self._count(record.event for record in news.records)
                    deltas = answer.read(news.records, news.texts)
                    yield b"".join(map(self._delta, deltas)) or sse.PING
            finally:
                if not follower.ended:
                    self._waiting.leave_apart(request)
        job = await self._waiting.read()
        for chunk in self._end(job, await self._answer_tokens(job)):
            yield chunk

    def _delta(self, delta: Delta) -> bytes:
        match delta:
            case Reasoning(text=text):
                return self._chunk({"reasoning": text, "reasoning_content": text})
            case Content(text=text):
                return self._chunk({"content": text})
            case Replaced():
                return _data(replaced_json(self._job))
            case Ended():
                return b""

    def _end(self, job: JobView, of_answer: int) -> list[bytes]:
        if job.answer is None:
            return [_data(failure_json(job)[1]), DONE]
        calls = calls_delta(self._envelope, job.answer.calls)
        chunks = [self._chunk(calls)] if calls else []
        chunks.append(self._chunk({}, finish_reason(self._envelope, job)))
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

    async def _answer_tokens(self, job: JobView) -> int:
        return answer_tokens(job, await self._deps.store.jobs.list_branches(self._job))


def _data(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()
