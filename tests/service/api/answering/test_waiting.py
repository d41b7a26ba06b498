"""Who waits for the end of a job: over a store that goes away, and when the client itself goes."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI

from anabranch.dag.ids import JobId
from anabranch.service.api.answering import waiting
from anabranch.service.api.answering.waiting import Waiting
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.store.errors import StoreAway


class Client:
    """A request of somebody who is there, or is not; `ended`: its key has ended, and so its answer."""

    def __init__(self, *, there: bool = True, ended: bool = False) -> None:
        self.there = there
        self.state = SimpleNamespace(call=SimpleNamespace(ended=ended))

    async def is_disconnected(self) -> bool:
        return not self.there


async def test_a_store_that_goes_away_for_a_while_ends_no_wait(
    app: FastAPI, job: str, organizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error would be answered by a second job: the client asks again, and this one has been accepted."""
    deps: Dependencies = app.state.deps
    row = await deps.store.jobs.get(JobId(job))
    get, pulled_out = deps.store.jobs.get_answered, 2

    async def get_or_fail(job: JobId) -> Any:
        nonlocal pulled_out
        pulled_out -= 1
        if pulled_out >= 0:
            raise StoreAway(OSError("pulled out"))
        return await get(job)

    monkeypatch.setattr(waiting, "AWAY_SECONDS", 0.01)
    monkeypatch.setattr(deps.store.jobs, "get_answered", get_or_fail)
    request: Any = Client()
    async with asyncio.timeout(20):
        reading = asyncio.create_task(Waiting(deps, row, findable=False).await_end(request))
        await organizer.answer(job)
        told = await reading
    assert told is not None and told.finished_at is not None


async def test_a_client_that_goes_cancels_its_job_unless_it_may_ask_again(
    app: FastAPI, job: str, organizer: Any
) -> None:
    deps: Dependencies = app.state.deps
    request: Any = Client(there=False)
    row = await deps.store.jobs.get(JobId(job))
    assert await Waiting(deps, row, findable=True).await_end(request) is None
    assert not (await deps.store.jobs.get(JobId(job))).cancel_requested
    assert await Waiting(deps, row, findable=False).await_end(request) is None
    assert (await deps.store.jobs.get(JobId(job))).cancel_requested


async def test_a_stream_that_is_cut_off_cancels_its_job_if_its_client_went_and_not_if_its_key_ended(
    app: FastAPI, job: str
) -> None:
    """To a request that the server has ended, its client seems to have gone as well."""
    deps: Dependencies = app.state.deps
    row = await deps.store.jobs.get(JobId(job))
    for request, cancels in (
        (Client(), False),
        (Client(there=False, ended=True), False),
        (Client(there=False), True),
    ):
        asked: Any = request
        Waiting(deps, row, findable=False).leave_apart(asked)
        await asyncio.gather(*waiting._ERRANDS)
        assert ((await deps.store.jobs.get(row.id)).cancel_requested is not None) is cancels


async def test_a_client_that_goes_while_its_job_is_submitted_cancels_it_also_where_it_streams(
    app: FastAPI,
) -> None:
    asked = {"model": "anabranch/self-consistency", "messages": [{"role": "user", "content": "6 * 7?"}]}
    body = json.dumps({**asked, "stream": True}).encode()
    received = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(received, {"type": "http.disconnect"})

    async def send(_: Any) -> None: ...

    headers = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
    await app({**scope, "query_string": b"", "asgi": {"spec_version": "2.3"}}, receive, send)
    deps: Dependencies = app.state.deps
    (submitted,) = (await deps.store.jobs.list_page()).items
    async with asyncio.timeout(10):
        while not (await deps.store.jobs.get(submitted.id)).cancel_requested:
            await asyncio.sleep(0.01)
