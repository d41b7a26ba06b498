"""Reads one journal and its live text for one reader, who keeps a place of its own and is woken when there is news."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, Self

from anabranch.dag.events import AT_THE_END, Record, SegmentFinished, SegmentStarted
from anabranch.dag.ids import JobId
from anabranch.service.api.live.tail import Tail
from anabranch.service.api.live.text import LiveText, OpenTexts, TextPlaces
from anabranch.service.link.frames import Texts

PAGE = 500


class Journals(Protocol):
    """What is read; `store.journal` is one."""

    async def read_page(self, job: JobId, after_seq: int, limit: int) -> Sequence[Record]: ...

    async def read_many(self, after: Mapping[JobId, int]) -> Sequence[Record]: ...


class Source(Protocol):
    """The feed, as its followers know it."""

    @property
    def journals(self) -> Journals: ...

    @property
    def stopping(self) -> bool: ...

    def tail(self, job: JobId) -> Tail | None: ...

    def texts(self, job: JobId) -> OpenTexts: ...

    def catch_up(self, job: JobId, page: Sequence[Record], seq: int) -> Tail: ...

    def leave(self, follower: "Follower") -> None: ...

    def raise_fault(self) -> None: ...


class Follower:
    """One reader's place in one journal and its live text. Close it, or use it in a `with`."""

    def __init__(self, feed: Source, job: JobId, after: int, texts: Texts, woken: asyncio.Event) -> None:
        self.job = job
        self.seq = after
        """The last event that was read."""
        self.ended = False
        """The job's last event was read."""
        self.woken = woken
        self._feed = feed
        self._places = TextPlaces(texts)
        self._rests: dict[int, list[LiveText]] = {}
        self._live = False
        """It has caught up once; before that, being behind is no sign of slowness."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.leave(self)

    @property
    def stopping(self) -> bool:
        """The service stops: what is read now is the last here, whether or not the job has ended."""
        return self._feed.stopping

    @property
    def fell_behind(self) -> bool:
        """It was live, and read so slowly that the poller no longer holds what comes next."""
        tail = self._feed.tail(self.job)
        return self._live and tail is not None and self.seq < tail.floor

    def skip(self) -> None:
        """Go on at what the poller holds now."""
        tail = self._feed.tail(self.job)
        if tail is not None:
            self.seq, self.ended = tail.head, tail.ended

    async def news(self, timeout: float) -> bool:
        """Waits until there is something to read, at most so many seconds; whether there is. Raises what stopped the
        poller, if anything did."""
        try:
            async with asyncio.timeout(timeout):
                await self.woken.wait()
        except TimeoutError:
            self._feed.raise_fault()
            return False
        self.woken.clear()
        return True

    async def learn(self) -> None:
        """Who resumes in the middle learns what of the open segments is of a final thought. Raises StoreAway."""
        seen = 0
        while self._places.wanted is Texts.ANSWER and seen < self.seq:
            records = await self._feed.journals.read_page(self.job, seen, min(PAGE, self.seq - seen))
            if not records:
                return
            self._note(records)
            seen = records[-1].seq

    async def read(self) -> Sequence[Record]:
        """What is new, at most a page; empty when nothing is. Raises StoreAway."""
        tail = self._feed.tail(self.job)
        if tail is not None and self.seq >= tail.floor and not tail.over_at(self.seq):
            records: Sequence[Record] = tail.after(self.seq)
        else:
            records = await self._feed.journals.read_page(self.job, self.seq, PAGE)
            if len(records) < PAGE:
                tail = self._feed.catch_up(self.job, records, records[-1].seq if records else self.seq)
                records = records or tail.after(self.seq)
                self._live = True
        if records:
            self.seq = records[-1].seq
            self.ended = isinstance(records[-1].event, AT_THE_END)
            self._note(records)
        return records

    def texts(self) -> Sequence[LiveText]:
        """New text of open segments whose start was read."""
        if self._places.wanted is Texts.NONE:
            return ()
        return self._places.read(self._feed.texts(self.job), self.seq)

    def rest_of(self, record: Record) -> Sequence[LiveText]:
        """Of a record that was just read: what the live text of the segment that it ends had left out. To be told
        before it."""
        return self._rests.pop(record.seq, ())

    def _note(self, records: Iterable[Record]) -> None:
        self._rests.clear()
        if self._places.wanted is Texts.NONE:
            return
        for record in records:
            match record.event:
                case SegmentStarted() as started:
                    self._places.start(started)
                case SegmentFinished() as finished:
                    self._rests[record.seq] = self._places.finish(finished)
                case _:
                    pass
