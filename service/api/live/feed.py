"""Follows live journals: one poller per process reads what is new in all followed jobs with one query, for all
readers.

The table is the truth and readers pull: each keeps its own place, reads pages until it has caught up, then what the
poller holds. So nothing is lost or repeated over a restart, a slow reader costs no memory, and nobody waits for it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import Protocol, Self

from anabranch.dag.events import TERMINAL_OF_JOB, Record
from anabranch.dag.ids import JobId
from anabranch.service.store.errors import StoreAway

PAGE = 500
TAIL = 5000
"""Records held of each followed job."""
POLL_SECONDS = 0.04
AWAY_SECONDS = 1.0
"""Between two tries while the store is away."""
log = logging.getLogger(__name__)


class Journals(Protocol):
    """What the feed reads; `store.journal` is one."""

    async def read_page(self, job: JobId, after_seq: int, limit: int) -> Sequence[Record]: ...

    async def read_many(self, after: Mapping[JobId, int]) -> Sequence[Record]: ...


@dataclass(slots=True)
class _Tail:
    """The latest records of one job."""

    floor: int
    """The seq before the first record held."""
    ended: bool = False
    records: deque[Record] = field(default_factory=deque)

    @property
    def head(self) -> int:
        return self.floor + len(self.records)

    def push(self, record: Record) -> None:
        if record.seq != self.head + 1:
            return  # read twice: by a nudge and by the clock
        self.records.append(record)
        self.ended = isinstance(record.event, TERMINAL_OF_JOB)
        if len(self.records) > TAIL:
            self.records.popleft()
            self.floor += 1

    def after(self, seq: int) -> list[Record]:
        return list(dropwhile(lambda record: record.seq <= seq, self.records))


class Feed:
    """The poller, which runs while somebody follows a job that has not ended."""

    def __init__(self, journals: Journals) -> None:
        self.journals = journals
        self._tails: dict[JobId, _Tail] = {}
        self._followers: dict[JobId, int] = {}
        self._news = asyncio.Event()
        self._nudged = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None

    def nudge(self) -> None:
        """Something was just written: look now."""
        self._nudged.set()

    def follow(self, job: JobId, after: int = 0) -> "Follower":
        """A reader's place in a journal, behind event `after`."""
        self._followers[job] = self._followers.get(job, 0) + 1
        return Follower(self, job, after)

    def followers(self, job: JobId) -> int:
        """How many follow this job here."""
        return self._followers.get(job, 0)

    async def news(self, timeout: float) -> bool:
        """Waits until something new was read in any followed job, at most so many seconds; whether there was any.

        Raises what stopped the poller, if anything did.
        """
        try:
            await asyncio.wait_for(self._news.wait(), timeout)
        except TimeoutError:
            if self._poller is not None and self._poller.done():
                self._poller.result()
            return False
        return True

    async def close(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    # -- for followers

    def tail(self, job: JobId) -> _Tail | None:
        return self._tails.get(job)

    def catch_up(self, job: JobId, page: Sequence[Record], seq: int) -> _Tail:
        """A follower has read the table to its end: from here on the poller reads for it."""
        ended = bool(page) and isinstance(page[-1].event, TERMINAL_OF_JOB)
        tail = self._tails.setdefault(job, _Tail(seq, ended))
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="feed")
        return tail

    def leave(self, job: JobId) -> None:
        self._followers[job] -= 1
        if not self._followers[job]:
            del self._followers[job]
            self._tails.pop(job, None)

    # -- the poller

    async def _poll(self) -> None:
        while heads := {job: tail.head for job, tail in self._tails.items() if not tail.ended}:
            try:
                self._push(await self.journals.read_many(heads))
            except StoreAway as error:
                log.warning("live views wait: %s", error)
                await asyncio.sleep(AWAY_SECONDS)
            self._nudged.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), POLL_SECONDS)

    def _push(self, records: Iterable[Record]) -> None:
        pushed = False
        for record in records:
            tail = self._tails.get(record.job)
            if tail is not None:
                tail.push(record)
                pushed = True
        if pushed:
            self._news.set()
            self._news = asyncio.Event()


class Follower:
    """One reader's place in one journal. Close it, or use it in a `with`."""

    def __init__(self, feed: Feed, job: JobId, after: int) -> None:
        self.job = job
        self.seq = after
        """The last event that was read."""
        self.ended = False
        """The job's last event was read."""
        self._feed = feed
        self._live = False
        """It has caught up once; before that, being behind is no sign of slowness."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.leave(self.job)

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

    async def read(self) -> Sequence[Record]:
        """What is new, at most a page; empty when nothing is. Raises StoreAway."""
        tail = self._feed.tail(self.job)
        if tail is not None and self.seq >= tail.floor:
            records: Sequence[Record] = tail.after(self.seq)
        else:
            records = await self._feed.journals.read_page(self.job, self.seq, PAGE)
            if len(records) < PAGE:
                tail = self._feed.catch_up(self.job, records, records[-1].seq if records else self.seq)
                records = records or tail.after(self.seq)
                self._live = True
        if records:
            self.seq = records[-1].seq
            self.ended = isinstance(records[-1].event, TERMINAL_OF_JOB)
        return records
