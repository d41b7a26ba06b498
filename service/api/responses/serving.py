"""Answers who asks for a response: as it is now, when it has ended, or event by event."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse, Response

from anabranch.service.api.answering.chat import DONE, NO_RETRY
from anabranch.service.api.answering.waiting import CLIENT_CLOSED, Waiting
from anabranch.service.api.live import sse
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.news import read_news
from anabranch.service.api.openai_errors import failure_json
from anabranch.service.api.problems import Refusal, bad_request, stopping
from anabranch.service.api.responses.events import ResponseEvents
from anabranch.service.api.responses.view import Json, ResponseView
from anabranch.service.api.views.chat.answer import answer_tokens
from anabranch.service.api.views.job import job_view
from anabranch.service.link.frames import Texts
from anabranch.service.store.rows import JobRow

PING_SECONDS = 5.0


class ResponseReader:
    """Somebody who asks for a response: the job as it was found, and what was sent for it."""

    def __init__(self, deps: Dependencies, job: JobRow, sent: Mapping[str, Any]) -> None:
        self._deps = deps
        self._row = job
        self._job = job.id
        self._spec = job.spec
        self._sent = sent
        self._view = ResponseView(job_view(job), sent)

    async def read(self) -> Json:
        """The response as it is, with what came out of it, once it has ended."""
        if self._view.job.finished_at is None:
            return self._view.now()
        response: Json = (await self._last_event())["response"]
        return response

    async def wait(self, request: Request, headers: dict[str, str], *, findable: bool) -> Response:
        """The response when it has ended; an error where it has no answer."""
        job = await Waiting(self._deps, self._row, findable=findable).await_end(request)
        if job is None:
            return Response(status_code=CLIENT_CLOSED)
        if job.answer is None:
            status, failure = failure_json(job)
            return JSONResponse(failure, status, headers | NO_RETRY)
        self._view = ResponseView(job, self._sent)
        return JSONResponse(await self.read(), headers=headers)

    async def check_seen(self, number: int) -> None:
        """Raises Refused for the number of an event that a response which has ended does not have."""
        if self._view.job.finished_at is None:
            return
        last = (await self._last_event())["sequence_number"]
        if number > last:
            detail = f"starting_after is {number}; the last event of this response has the number {last}."
            raise bad_request("bad-starting-after", detail)

    async def stream(self, after: int = -1) -> AsyncGenerator[bytes]:
        """The events behind this number, as Server-Sent Events, live."""
        async with aclosing(self._events()) as events:
            async for some in events:
                new = [each for each in some if each["sequence_number"] > after or each["type"] == "error"]
                told = b"".join(map(_sse, new))
                if told or not some:
                    yield told or sse.PING
        yield DONE

    async def stream_to_maker(self, request: Request, *, findable: bool) -> AsyncIterator[bytes]:
        """All events, to the client that made the response: if it goes away, and nobody can find the response, the job
        is cancelled."""
        ended = False
        try:
            async with aclosing(self.stream()) as chunks:
                async for chunk in chunks:
                    yield chunk
            ended = True
        finally:
            if not ended:
                Waiting(self._deps, self._row, findable=findable).leave_apart(request)

    async def _last_event(self) -> Json:
        async with aclosing(self._events()) as events:
            async for some in events:
                last = some
        return last[-1]

    async def _events(self) -> AsyncGenerator[list[Json]]:
        """All events in order, as they come; now and then none. When the service stops, an error is the last."""
        fold = ResponseEvents(self._view, self._spec)
        begun = fold.begin()
        yield begun
        told = begun[-1]["sequence_number"]
        with self._deps.feed.follow(self._job, texts=Texts.ANSWER) as follower:
            async for news in read_news(follower, PING_SECONDS):
                events = fold.read(news.records, news.texts)
                yield events
                told = events[-1]["sequence_number"] if events else told
        if not follower.ended:
            yield [_stopped(stopping(self._job), told)]
            return
        job = job_view(await self._deps.store.jobs.get(self._job))
        of_answer = answer_tokens(job, await self._deps.store.jobs.list_branches(self._job))
        yield fold.end(ResponseView(job, self._sent), of_answer)


def _stopped(refusal: Refusal, told: int) -> Json:
    """The last event of a stream that the service ends before the response; its number is that of the event before, so
    that whoever resumes behind it misses nothing."""
    error = {"code": refusal.name, "message": refusal.detail, "param": None}
    return {"type": "error", **error, "sequence_number": told}


def _sse(event: Json) -> bytes:
    return sse.sse(json.dumps(event), event=event["type"])
