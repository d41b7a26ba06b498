"""Follows live journals: one poller per process reads what is new in all followed jobs with one query, for all
readers.

The table is the truth and readers pull: each keeps its own place, reads pages until it has caught up, then what the
poller holds. So nothing is lost or repeated over a restart, a slow reader costs no memory, and nobody waits for it.

The link (`service/link/`) only says when to look: "the journal of J is at seq N" sends the poller to that job at once,
and wakes those who follow that job, nobody else. While each organizer that lives is linked, the clock is a safety net;
while one is not, it is all there is, and quick. Live text comes by the link alone: see `text.py`.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from anabranch.dag.events import AT_THE_END, Record, SegmentFinished
from anabranch.dag.ids import BranchId, JobId
from anabranch.service.api.live.follower import Follower, Journals
from anabranch.service.api.live.tail import Tail
from anabranch.service.api.live.text import OpenTexts
from anabranch.service.link.frames import TextNews, Texts
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.journal.writer import MANY

TAIL = 5000
"""Records held of each followed job."""
POLL_SECONDS = 0.04
LINKED_POLL_SECONDS = 1.0
"""Between two looks at all followed jobs while each organizer is linked."""
AWAY_SECONDS = 1.0
"""Between two tries while the store is away."""
log = logging.getLogger(__name__)


class Link(Protocol):
    """Who tells what happens to jobs that are followed; `link.links.Links` is one."""

    def follow(self, job: JobId, texts: Texts) -> None: ...

    def unfollow(self, job: JobId) -> None: ...


class NoLink:
    """Nobody tells anything: the clock finds it."""

    def follow(self, job: JobId, texts: Texts) -> None: ...

    def unfollow(self, job: JobId) -> None: ...


@dataclass(slots=True)
class _FollowedJob:
    """A job that somebody follows."""

    followers: set[Follower] = field(default_factory=set)
    tail: Tail | None = None
    reached: int = 0
    """How far its journal is, as the link told."""
    over: bool = False
    """It has ended, as the link told."""
    wanted: Texts = Texts.NONE
    texts: OpenTexts = field(default_factory=OpenTexts)

    @property
    def behind(self) -> bool:
        return self.tail is not None and not self.tail.ended and self.tail.head < self.reached

    def wake(self) -> None:
        for follower in self.followers:
            follower.woken.set()


class Feed:
    """The poller, which runs while somebody follows a job that has not ended."""

    def __init__(self, journals: Journals, link: Link | None = None) -> None:
        self.journals = journals
        self._link = link or NoLink()
        self.is_linked = False
        """Each organizer that lives tells what happens to followed jobs."""
        self._followed: dict[JobId, _FollowedJob] = {}
        self._behind: set[JobId] = set()
        """Followed jobs whose journals are further than what is held of them: a word of one job costs no look at the
        thousand others."""
        self._look_at = 0.0
        """When all followed jobs are looked at again, by the loop's clock."""
        self._nudged = asyncio.Event()
        self.stopping = False
        """The service stops: nobody waits for a job's end any longer, and streams end."""
        self._poller: asyncio.Task[None] | None = None

    def follow(
        self,
        job: JobId,
        after: int = 0,
        texts: Texts = Texts.NONE,
        woken: asyncio.Event | None = None,
    ) -> Follower:
        """A reader's place in a journal, behind event `after`, and in the job's live text, from its beginning. `woken`
        is set when there is news; who reads several jobs gives all their followers one."""
        followed = self._followed.setdefault(job, _FollowedJob())
        follower = Follower(self, job, after, texts, woken or asyncio.Event())
        if not followed.followers or texts > followed.wanted:
            followed.wanted = max(texts, followed.wanted)
            self._link.follow(job, followed.wanted)
        followed.followers.add(follower)
        return follower

    def followers(self, job: JobId) -> int:
        """How many follow this job here."""
        return len(self._followed[job].followers) if job in self._followed else 0

    def stop(self) -> None:
        """Whoever waits for a job's end goes away with the job as it is; streams end where they are."""
        self.stopping = True
        for followed in self._followed.values():
            followed.wake()

    async def close(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    # -- what the link tells

    def reached(self, job: JobId, seq: int) -> None:
        """The journal of this job is committed up to `seq`."""
        followed = self._followed.get(job)
        if followed is not None and seq > followed.reached:
            followed.reached = seq
            self._behind.add(job)
            self._nudged.set()

    def over(self, job: JobId) -> None:
        """This job has ended."""
        followed = self._followed.get(job)
        if followed is not None:
            followed.over = True
            followed.wake()

    def wrote(self, organizer: str, text: TextNews) -> None:
        """An open segment has more text."""
        followed = self._followed.get(text.job)
        if followed is not None and followed.texts.add(organizer, text):
            followed.wake()

    def ended(self, job: JobId, branch: BranchId, segment: int) -> None:
        """No more live text comes of this segment."""
        if job in self._followed:
            self._followed[job].texts.finish(branch, segment)

    def lost(self, organizer: str) -> None:
        """What this organizer told of open segments will be told anew, if at all."""
        for followed in self._followed.values():
            followed.texts.lose(organizer)

    def linked(self, *, all_of_them: bool) -> None:
        """Whether all that happens is told by the link from now on. What has happened until now is looked for."""
        if all_of_them != self.is_linked:
            self.is_linked = all_of_them
            self._look_at = 0.0
            self._nudged.set()

    # -- for followers

    def is_over(self, job: JobId) -> bool:
        """Whether the link has told that this job, which is followed, has ended."""
        return self._followed[job].over

    def tail(self, job: JobId) -> Tail | None:
        return self._followed[job].tail

    def texts(self, job: JobId) -> OpenTexts:
        return self._followed[job].texts

    def catch_up(self, job: JobId, page: Sequence[Record], seq: int) -> Tail:
        """A follower has read the table to its end: from here on the poller reads for it."""
        followed = self._followed[job]
        if followed.tail is None:
            ended = bool(page) and isinstance(page[-1].event, AT_THE_END)
            followed.tail = Tail(seq, TAIL, ended=ended)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="feed")
        if followed.behind:
            self._behind.add(job)
            self._nudged.set()
        return followed.tail

    def leave(self, follower: Follower) -> None:
        followed = self._followed[follower.job]
        followed.followers.discard(follower)
        if not followed.followers:
            del self._followed[follower.job]
            self._behind.discard(follower.job)
            self._link.unfollow(follower.job)

    def raise_fault(self) -> None:
        """Raises what stopped the poller, if anything did."""
        if self._poller is not None and self._poller.done():
            self._poller.result()

    # -- the poller

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        while self._followed:
            self._nudged.clear()
            whole = loop.time() >= self._look_at
            due = self._heads(self._followed if whole else self._behind)
            if whole and not due:
                return
            try:
                records = await self.journals.read_many(due) if due else ()
                self._push(records)
            except StoreAway as error:
                log.warning("live views wait: %s", error)
                await asyncio.sleep(AWAY_SECONDS)
                continue
            if len(records) >= MANY:
                continue
            if whole:
                self._look_at = loop.time() + (LINKED_POLL_SECONDS if self.is_linked else POLL_SECONDS)
            with suppress(TimeoutError):  # not `wait_for`, which may swallow that the feed is closed
                async with asyncio.timeout_at(self._look_at):
                    await self._nudged.wait()

    def _heads(self, among: Iterable[JobId]) -> dict[JobId, int]:
        """Where those of these journals stand of which more may come."""
        tails = ((job, self._followed[job].tail) for job in among)
        return {job: tail.head for job, tail in tails if tail is not None and not tail.ended}

    def _push(self, records: Iterable[Record]) -> None:
        new: dict[JobId, _FollowedJob] = {}
        for record in records:
            followed = self._followed.get(record.job)
            if followed is not None and followed.tail is not None and followed.tail.push(record):
                new[record.job] = followed
                if isinstance(record.event, SegmentFinished):
                    followed.texts.finish(record.event.branch, record.event.segment)
        for job, followed in new.items():
            followed.wake()
            if not followed.behind:
                self._behind.discard(job)
