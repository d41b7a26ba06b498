"""Serves a job's journal as clients follow it: Server-Sent Events, or pages."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from anabranch.dag.ids import JobId
from anabranch.service.api.auth import open_stream
from anabranch.service.api.live import sse
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.live.news import stream_events
from anabranch.service.api.problems import bad_request, problems
from anabranch.service.link.frames import Texts
from anabranch.service.wire import page_json

MAX_SEQ = 2**31 - 1
WantedText = Literal["answer", "all"]
TEXTS: dict[WantedText, Texts] = {"answer": Texts.ANSWER, "all": Texts.ALL}
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="The `seq` that was seen last: resume behind it.")
]
EVENT = {
    "type": "object",
    "required": ["job", "seq", "epoch", "at", "kind", "branch", "payload"],
    "properties": {
        "job": {"type": "string"},
        "seq": {"type": "integer"},
        "epoch": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        "kind": {"type": "string", "examples": ["BranchForked"]},
        "branch": {"type": "string", "examples": ["0.2"]},
        "payload": {"type": "object"},
    },
}
PAGE = {
    "type": "object",
    "required": ["items", "next_after"],
    "properties": {
        "items": {"type": "array", "items": EVENT},
        "next_after": {
            "type": ["integer", "null"],
            "description": "`after` of the next page; null at the end.",
        },
    },
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The events, live, until the job's last one; or a page of them.",
        "content": {
            **sse.TOLD,
            "application/json": {"schema": PAGE},
        },
    },
    204: {"description": "All events of an ended job were seen: nothing will follow, do not reconnect."},
    **problems(400, 404),
}

router = APIRouter(prefix="/v1/jobs/{job}/events", tags=["events"])


@router.get("", response_class=Response, responses=ANSWERS)
async def events(
    request: Request,
    job: JobId,
    deps: Injected,
    accept: Annotated[str, Header(description="application/json asks for a page.")] = "*/*",
    last_event_id: LastEventId = None,
    after: Annotated[int, Query(ge=0, le=MAX_SEQ, description="Events behind this one.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Of one page.")] = 500,
    text: Annotated[
        WantedText | None,
        Query(description="Live text, too: of the final thought (answer), or of every branch (all)."),
    ] = None,
) -> Response:
    """Follow a job. A stream that breaks is resumed with Last-Event-ID, without gap or repeat.

    With `text`, events `text` tell what is being decoded: `{branch, segment, final, at, text, reasoning_at, reasoning,
    tokens, reasoning_tokens}`. `text` stands at character `at` of the segment's text, and replaces whatever was told
    behind it; so does `reasoning`, of its thought; `tokens` counts the segment's so far. All text events of a segment,
    applied, are its text, before the event of its end. They have no id: who comes later, or resumes, gets what there is
    of open segments first.
    """
    row = await deps.store.jobs.get(job)
    seen = _seen(last_event_id, row.head_seq) if last_event_id is not None else after
    if "application/json" in accept and "text/event-stream" not in accept:
        records = await deps.store.journal.read_page(job, seen, limit)
        more = len(records) == limit and records[-1].seq < row.head_seq
        return Response(page_json(records, records[-1].seq if more else None), media_type="application/json")
    if row.finished_at is not None and seen >= row.head_seq:
        return Response(status_code=204)
    await open_stream(request)
    # The journal's end at most: all who follow a job here share one place from which on its events are held.
    told = stream_events(deps.feed, job, min(seen, row.head_seq), TEXTS[text] if text else Texts.NONE)
    return StreamingResponse(told, media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)


def _seen(header: str, head: int) -> int:
    """Raises Refused for what this journal never gave out."""
    if not header.isascii() or not header.isdecimal() or len(header) > 18:
        raise bad_request("bad-last-event-id", f"Last-Event-ID {header[:40]!r} is no event's number.")
    if int(header) > head:
        raise bad_request("bad-last-event-id", f"Last-Event-ID is {header}, but the journal ends at {head}.")
    return int(header)
