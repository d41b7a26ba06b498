"""Answers a chat client when its jobs have ended: the whole completion, or chunks while they run."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from anabranch.dag import events as e
from anabranch.dag.decoding import Usage
from anabranch.service.api.answering.answer_stream import (
    AnswerStream,
    Content,
    Delta,
    Ended,
    Reasoning,
    Replaced,
)
from anabranch.service.api.answering.merging import merge
from anabranch.service.api.answering.waiting import CLIENT_CLOSED, Waiting
from anabranch.service.api.live import sse
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.news import read_news
from anabranch.service.api.openai_errors import failure_json, refusal_json, replaced_json
from anabranch.service.api.problems import stopping
from anabranch.service.api.views.chat.answer import (
    Beside,
    Envelope,
    Json,
    answer_tokens,
    calls_delta,
    chunk_json,
    completion_id,
    completion_json,
    finish_reason,
    logprobs_chunk_json,
    usage_chunk_json,
)
from anabranch.service.api.views.chat.request import StreamOptions
from anabranch.service.api.views.job import JobView
from anabranch.service.link.frames import Texts
from anabranch.service.store.rows import BranchRow, JobRow

PING_SECONDS = 5.0
NO_RETRY = {"x-should-retry": "false"}
"""The job has had its retries; OpenAI's client would ask for two more jobs."""
DONE = b"data: [DONE]\n\n"


class ChatWait:
    """A chat client that waits for a completion: for the jobs of its choices. `findable`: it may ask for them again."""

    def __init__(
        self,
        deps: Dependencies,
        jobs: Sequence[JobRow],
        model: str,
        asked: StreamOptions,
        *,
        findable: bool,
        older: bool = False,
    ) -> None:
        created = int(jobs[0].created_at.timestamp())
        self._envelope = Envelope(completion_id([job.id for job in jobs]), model, created, older=older)
        self._asked = asked
        self._choices = [
            _Choice(deps, job, replace(self._envelope, choice=number), asked, findable=findable)
            for number, job in enumerate(jobs)
        ]

    async def complete(self, request: Request, headers: dict[str, str]) -> Response:
        """The answers when all jobs have ended."""
        ended = await asyncio.gather(*(choice.await_end(request) for choice in self._choices))
        jobs = [job for job in ended if job is not None]
        if len(jobs) < len(ended):
            return Response(status_code=CLIENT_CLOSED)
        status, told = await self._tell(jobs)
        return JSONResponse(told, status, headers if status == HTTPStatus.OK else headers | NO_RETRY)

    async def read(self) -> tuple[int, Json]:
        """What is answered of jobs that have ended, and with which status."""
        return await self._tell([await choice.read() for choice in self._choices])

    async def _tell(self, jobs: Sequence[JobView]) -> tuple[int, Json]:
        for job in jobs:
            if job.answer is None:
                return failure_json(job)
        of_answers, beside = self._answer_tokens(jobs), await self._beside(jobs)
        return HTTPStatus.OK, completion_json(self._envelope, jobs, of_answers, beside)

    async def stream(self, request: Request) -> AsyncIterator[bytes]:
        """The chunks of all choices, as they come; then what they cost, where that is asked for."""
        async with aclosing(merge([choice.stream(request) for choice in self._choices])) as chunks:
            async for chunk in chunks:
                yield chunk
        jobs = [choice.ended for choice in self._choices if choice.ended is not None]
        if self._asked.include_usage and len(jobs) == len(self._choices):
            yield _data(usage_chunk_json(self._envelope, jobs, self._answer_tokens(jobs)))
        yield DONE

    def _answer_tokens(self, jobs: Sequence[JobView]) -> int:
        told = zip(self._choices, jobs, strict=True)
        return sum(answer_tokens(job, choice.sources) for choice, job in told)

    async def _beside(self, jobs: Sequence[JobView]) -> Sequence[Beside]:
        told = zip(self._choices, jobs, strict=True)
        return await asyncio.gather(*(choice.beside(job) for choice, job in told))


class _Choice:
    """One choice of a completion: the answer of one job."""

    def __init__(
        self, deps: Dependencies, job: JobRow, envelope: Envelope, asked: StreamOptions, *, findable: bool
    ) -> None:
        self._deps = deps
        self._job = job.id
        self._spec = job.spec
        self._envelope = envelope
        self._asked = asked
        self._waiting = Waiting(deps, job, findable=findable)
        self._usage = Usage()
        self.ended: JobView | None = None
        """The job, once its answer was streamed."""

    async def await_end(self, request: Request) -> JobView | None:
        return await self._waiting.await_end(request)

    async def read(self) -> JobView:
        return await self._waiting.read()

    @property
    def sources(self) -> Sequence[BranchRow]:
        """The branches of its answer, once it was read."""
        return self._waiting.sources or ()

    @property
    def _with_logprobs(self) -> bool:
        return self._spec.answer_format.logprobs is not None

    async def beside(self, job: JobView) -> Beside:
        """What its journal tells of the answer; it is not read where it has nothing to tell."""
        if not job.usage.reasoning_tokens and not self._with_logprobs:
            return Beside()
        return Beside.of(await self._deps.store.journal.read(self._job), job)

    async def stream(self, request: Request) -> AsyncGenerator[bytes]:
        """What the branches do, and what the final thought thinks, as reasoning; the answer as content, as it comes."""
        yield self._chunk({"role": "assistant", "content": ""})
        answer = AnswerStream(self._spec)
        with self._deps.feed.follow(self._job, texts=Texts.ANSWER) as follower:
            try:
                async for news in read_news(follower, PING_SECONDS):
                    self._count(record.event for record in news.records)
                    deltas = answer.read(news.records, news.texts)
                    yield b"".join(map(self._delta, deltas)) or sse.PING
            finally:
                if not follower.ended:
                    self._waiting.leave_apart(request)
        if not follower.ended:
            refusal = stopping(self._job)
            yield _data(refusal_json(refusal.status, refusal.name, refusal.detail, None))
            return
        job = await self._waiting.read()
        if job.answer is not None and self._with_logprobs:
            yield _data(logprobs_chunk_json(self._envelope, await self.beside(job), self._told_usage))
        for chunk in self._end(job):
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

    def _end(self, job: JobView) -> list[bytes]:
        if job.answer is None:
            return [_data(failure_json(job)[1])]
        self.ended = job
        calls = calls_delta(self._envelope, job.answer.calls)
        chunks = [self._chunk(calls)] if calls else []
        return [*chunks, self._chunk({}, finish_reason(self._envelope, job))]

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _data(chunk_json(self._envelope, delta, finish, self._told_usage))

    @property
    def _told_usage(self) -> Usage | None:
        return self._usage if self._asked.continuous_usage_stats else None

    def _count(self, events: Iterable[e.Event]) -> None:
        """Adds what finished segments cost to the usage so far."""
        for event in events:
            if isinstance(event, e.SegmentFinished):
                self._usage += event.decoded.usage


def _data(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()
