"""Serves one stream for a whole page: several journals, the list of jobs, and the load. Browsers allow only six to a
host.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from anabranch.dag.ids import JobId
from anabranch.service.api.auth import CurrentCaller, open_stream
from anabranch.service.api.live import sse
from anabranch.service.api.live.dependencies import Dependencies, Injected
from anabranch.service.api.live.feed import AWAY_SECONDS
from anabranch.service.api.live.follower import Follower
from anabranch.service.api.live.listing import LIST_SECONDS, Listing
from anabranch.service.api.live.load import Load
from anabranch.service.api.live.news import shared_json, text_event
from anabranch.service.api.problems import bad_request, problems
from anabranch.service.api.routes.events import TEXTS, LastEventId, WantedText
from anabranch.service.link.frames import Texts
from anabranch.service.store.errors import StoreAway

MOST_JOBS = 32
Places = dict[JobId, int]

router = APIRouter(prefix="/v1/stream", tags=["events"])


@router.get(
    "", response_class=StreamingResponse, responses={200: {"content": sse.TOLD}, **problems(400, 404)}
)
async def stream(
    request: Request,
    deps: Injected,
    caller: CurrentCaller,
    jobs: Annotated[
        str,
        Query(
            description="Ids, by commas: ID tells what happens from now on, ID:SEQ what follows that event."
        ),
    ] = "",
    listed: Annotated[bool, Query(alias="list", description="Also tell when any job changes.")] = False,
    text: Annotated[
        WantedText | None,
        Query(description="Live text of the jobs, too, as `GET /v1/jobs/{job}/events` has it."),
    ] = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Events `record` (one of the jobs' events), `text` (live text, with its `job`), `job` (a summary that changed),
    `load`, and `resync` (records were skipped because this reader was too slow: read
    `GET /v1/jobs/{job}/events?after=` again)."""
    await open_stream(request)
    seen = _seen(last_event_id or "")
    places = {}
    for job, seq in _seen(jobs).items():
        head = (await deps.store.jobs.get(job, caller.scope)).head_seq
        after = seen.get(job, seq)
        places[job] = head if after is None else min(after, head)
    listing = request.app.state.listing_of(caller.scope) if listed else None
    load = request.app.state.load_of(caller.scope)
    page = PageStream(deps, listing, load, TEXTS[text] if text else Texts.NONE)
    return StreamingResponse(page.events(places), media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)


class PageStream:
    """What one open page is sent."""

    def __init__(
        self, deps: Dependencies, listing: Listing | None, load: Load, texts: Texts = Texts.NONE
    ) -> None:
        self._feed = deps.feed
        self._texts = texts
        self._woken = asyncio.Event()
        self._listing = listing
        self._load = load
        self._version: int | None = None
        self._told_load = ""

    async def events(self, places: Places) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        with ExitStack() as leaving:
            followers = [
                leaving.enter_context(self._feed.follow(job, seq, self._texts, self._woken))
                for job, seq in places.items()
            ]
            for follower in followers:
                await follower.learn()
            ping_at = 0.0
            while not self._feed.stopping:
                try:
                    news = b"".join(
                        [*await self._records(followers), *await self._summaries(), *await self._loads()]
                    )
                except StoreAway:
                    await asyncio.sleep(AWAY_SECONDS)
                    news = b""
                if news or loop.time() >= ping_at:
                    yield news or sse.PING
                    ping_at = loop.time() + sse.PING_SECONDS
                else:
                    await self._wait()

    async def _wait(self) -> None:
        """Until a job that is followed has news, or the list is to be looked at again."""
        try:
            async with asyncio.timeout(LIST_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            self._feed.raise_fault()
        self._woken.clear()

    async def _records(self, followers: Sequence[Follower]) -> list[bytes]:
        told = []
        for follower in followers:
            if follower.fell_behind:
                told.append(sse.sse(json.dumps({"job": follower.job, "after": follower.seq}), event="resync"))
                follower.skip()
            for record in await follower.read():
                places = ",".join(
                    f"{one.job}:{record.seq if one is follower else one.seq}" for one in followers
                )
                told += [text_event(text, job=record.job) for text in follower.rest_of(record)]
                told.append(sse.sse(shared_json(record), event="record", place=places))
            told += [text_event(text, job=follower.job) for text in follower.texts()]
        return told

    async def _summaries(self) -> list[bytes]:
        if self._listing is None:
            return []
        self._version, changed = await self._listing.since(self._version)
        return [sse.sse(summary, event="job") for summary in changed]

    async def _loads(self) -> list[bytes]:
        load = await self._load.as_json()
        if load == self._told_load:
            return []
        self._told_load = load
        return [sse.sse(load, event="load")]


def _seen(written: str) -> dict[JobId, int | None]:
    """Reads ID or ID:SEQ, by commas. Raises Refused for anything else."""
    seen: dict[JobId, int | None] = {}
    for part in filter(None, written.split(",")):
        job, colon, seq = part.partition(":")
        if not job or (colon and not (seq.isascii() and seq.isdecimal() and len(seq) < 18)):
            raise bad_request("bad-jobs", f"{part[:60]!r} is neither a job's id nor ID:SEQ.")
        seen[JobId(job)] = int(seq) if colon else None
    if len(seen) > MOST_JOBS:
        raise bad_request("too-many-jobs", f"One stream follows at most {MOST_JOBS} jobs.")
    return seen
