"""Waits on journals: until a job has ended, and event by event, with the live text between them."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from anabranch.dag.events import Record
from anabranch.dag.ids import JobId
from anabranch.service.api.live.feed import AWAY_SECONDS, Feed
from anabranch.service.api.live.follower import Follower
from anabranch.service.api.live.sse import PING, PING_SECONDS, sse
from anabranch.service.api.live.text import LiveText
from anabranch.service.link.frames import Texts
from anabranch.service.store.codec import kind_of
from anabranch.service.store.errors import StoreAway
from anabranch.service.wire import record_json

UNTOLD_SECONDS = 1.0
"""After which the end of a job is looked for, though the link would have told it."""
SHARED = 2000
"""Records that are kept as they were written,"""
SHARED_LETTERS = 16_384
"""each at most so long: a longer one is written for each reader."""
_SHARED: dict[tuple[JobId, int], str] = {}


@dataclass(frozen=True, slots=True)
class News:
    """What a reader is told at one time; nothing, as a sign that the wait goes on."""

    records: Sequence[Record] = ()
    texts: Sequence[LiveText] = ()


async def wait_until_over(feed: Feed, job: JobId, after: int, seconds: float) -> None:
    """Returns when the job has ended, somewhere behind event `after`, when the time is over, or when the service stops.
    The link tells the end, and no event is read; what it has not told within a second is looked for."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    with feed.follow(job, after) as follower:
        looks = not feed.is_linked
        while not (follower.ended or feed.is_over(job) or feed.stopping) and loop.time() < deadline:
            if not looks:
                looks = not await follower.news(min(deadline - loop.time(), UNTOLD_SECONDS))
            elif not await follower.read():
                await follower.news(deadline - loop.time())


async def read_news(follower: Follower, quiet_seconds: float) -> AsyncIterator[News]:
    """What the follower reads, as it comes, until the job's last event, or the service stops; nothing after so many
    quiet seconds, and whenever the store is away."""
    while not follower.ended:
        try:
            records = await follower.read()
        except StoreAway:
            if follower.stopping:
                return
            await asyncio.sleep(AWAY_SECONDS)
            yield News()
            continue
        texts = follower.texts()
        if records or texts:
            yield News(records, texts)
        elif follower.stopping:
            return
        elif not await follower.news(quiet_seconds):
            yield News()


async def stream_events(feed: Feed, job: JobId, after: int, texts: Texts) -> AsyncIterator[bytes]:
    """One job's events behind event `after` as Server-Sent Events, live, until its last one, or the service stops:
    whoever reads then resumes elsewhere. `id` is the journal's seq; live text, where it is wanted, has none."""
    with feed.follow(job, after, texts) as follower:
        await follower.learn()
        async for news in read_news(follower, PING_SECONDS):
            told = [event for record in news.records for event in events_of(follower, record)]
            told += [text_event(text) for text in news.texts]
            yield b"".join(told) or PING


def events_of(follower: Follower, record: Record) -> Sequence[bytes]:
    """A record that was just read, behind the text that was still to be told of the segment that it ends."""
    rest = [text_event(text) for text in follower.rest_of(record)]
    return [*rest, sse(shared_json(record), event=kind_of(record.event), place=str(record.seq))]


def shared_json(record: Record) -> str:
    """The record as clients get it, written once for all who follow: a journal's record never changes."""
    place = record.job, record.seq
    written = _SHARED.get(place)
    if written is None:
        written = record_json(record)
        if len(written) <= SHARED_LETTERS:
            _SHARED[place] = written
        if len(_SHARED) > SHARED:
            del _SHARED[next(iter(_SHARED))]
    return written


def text_event(text: LiveText, **more: str) -> bytes:
    """Live text as an event."""
    return sse(json.dumps({**more, **text_json(text)}, ensure_ascii=False), event="text")


def text_json(text: LiveText) -> dict[str, object]:
    """`text` begins at character `at` of the segment's text, `reasoning` at `reasoning_at` of its thought; whatever was
    told behind these places is replaced. `tokens` counts the segment's so far, thoughts included."""
    return {
        "branch": text.branch,
        "segment": text.segment,
        "final": text.final,
        "at": text.at,
        "text": text.text,
        "reasoning_at": text.thought_at,
        "reasoning": text.thought,
        "tokens": text.tokens,
        "reasoning_tokens": text.reasoning_tokens,
    }
