"""Keeps what one connection is still to be told, as places: a journal's seq, how far each text was told. Pure.

It is as large as what its peer follows, however slowly that reads.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from anabranch.dag.ids import BranchId, JobId
from anabranch.service.link.frames import TextNews, Texts, Up
from anabranch.service.link.told import Place, next_place
from anabranch.workers.pool.protocol import PoolLoad


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenText:
    """An open segment, as far as it may be told."""

    branch: BranchId
    segment: int
    since: int
    final: bool
    thought: str
    text: str
    recast: int = 0
    """How often its text so far was found to be its thought, after which the text began anew."""
    tokens: int = 0
    reasoning_tokens: int = 0


class Head(NamedTuple):
    """Where a journal stands."""

    seq: int
    over: bool = False
    """Its job has ended."""


class Outbox:
    """What a REST process follows, and what it was told of it."""

    def __init__(self) -> None:
        self.follows: dict[JobId, Texts] = {}
        self._seqs: dict[JobId, int] = {}
        self._over: set[JobId] = set()
        self._written: dict[tuple[JobId, BranchId], None] = {}
        """Branches with text that was not told, in the order in which it came."""
        self._told: dict[tuple[JobId, BranchId], Place] = {}
        self._ended: dict[JobId, dict[BranchId, int]] = {}
        self._load: PoolLoad | None = None
        self._load_told: PoolLoad | None = None

    def follow(self, job: JobId, texts: Texts, head: Head | None, branches: Iterable[BranchId]) -> None:
        """The peer follows this job. `head` is where its journal stands, if that is known here, and `branches` have
        open text: all of it is told from its beginning."""
        self.follows[job] = texts
        if head is not None:
            self.reached(job, head)
        for branch in branches:
            self._told.pop((job, branch), None)
            self.wrote(job, branch)

    def unfollow(self, job: JobId) -> None:
        self.follows.pop(job, None)
        self._seqs.pop(job, None)
        self._over.discard(job)
        self._ended.pop(job, None)
        for places in (self._written, self._told):
            for place in [place for place in places if place[0] == job]:
                del places[place]

    def reached(self, job: JobId, head: Head) -> None:
        """The journal of this job is committed up to here."""
        if job in self.follows:
            self._seqs[job] = head.seq
            if head.over:
                self._over.add(job)

    def wrote(self, job: JobId, branch: BranchId) -> None:
        """A branch has more text that may be told."""
        if self.follows.get(job, Texts.NONE) is not Texts.NONE:
            self._written[job, branch] = None

    def ended(self, job: JobId, branch: BranchId, segment: int) -> None:
        """No more text comes of this segment, nor of those before it."""
        self._written.pop((job, branch), None)
        told = self._told.get((job, branch))
        if told is not None and told.segment <= segment:
            del self._told[job, branch]
            self._ended.setdefault(job, {})[branch] = segment

    def measured(self, load: PoolLoad) -> None:
        self._load = load

    @property
    def waits_only_for_text(self) -> bool:
        """All that is to be told is text."""
        return bool(self._written) and not (self._seqs or self._ended or self._load != self._load_told)

    def take(self, find: Callable[[JobId, BranchId], OpenText | None]) -> Up | None:
        """All that is to be told, or None; from now on it counts as told. `find` gives a branch's open text."""
        written, self._written = self._written, {}
        texts = tuple(text for job, branch in written for text in self._news(job, find(job, branch)))
        seqs, self._seqs = self._seqs, {}
        over, self._over = frozenset(self._over), set()
        ended, self._ended = self._ended, {}
        load, self._load_told = self._load if self._load != self._load_told else None, self._load
        if not (texts or seqs or ended or load):
            return None
        return Up(seqs=seqs, over=over, texts=texts, ended=ended, load=load)

    def _news(self, job: JobId, there: OpenText | None) -> Iterable[TextNews]:
        if there is None or (self.follows[job] is Texts.ANSWER and not there.final):
            return
        end = Place(there.segment, there.recast, len(there.thought), len(there.text))
        place = next_place(self._told.get((job, there.branch)), end)
        if place is None:
            return
        self._told[job, there.branch] = end
        yield TextNews(
            job=job,
            branch=there.branch,
            segment=there.segment,
            since=there.since,
            final=there.final,
            thought_at=place.thought,
            thought=there.thought[place.thought :],
            at=place.text,
            text=there.text[place.text :],
            tokens=there.tokens,
            reasoning_tokens=there.reasoning_tokens,
        )
