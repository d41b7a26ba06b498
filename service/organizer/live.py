"""Tells what happens in an organizer's jobs while it happens: commits, text, load, to whoever follows by the link.

**Stored before told.** What a reader was told of the answer cannot be taken back, and an engine that decodes again need
not say the same. So the text of a final thought that somebody reads is stored first (`store/journal/told_texts.py`),
in one transaction for all jobs of this organizer, and the next one begins when that is done, and at most every
TEXT_SECONDS. Whoever takes the job up later goes on behind it. Text that nobody reads is only checkpointed.
"""

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from anabranch.dag.ids import BranchId, JobId
from anabranch.service.link.frames import PATH, TEXT_SECONDS, Texts
from anabranch.service.link.outbox import OpenText
from anabranch.service.link.server import LinkServer
from anabranch.service.organizer.job.partial_text import PartialText, PartialTexts, Place
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.journal.told_texts import ToldText, ToldTexts
from anabranch.workers.pool.protocol import PoolLoad


class Owner(Protocol):
    """The organizer whose jobs these are."""

    def nudge(self, job: JobId | None = None) -> None: ...

    def load(self) -> PoolLoad: ...


@dataclass(slots=True, eq=False)
class _LiveJob:
    """A job that is run here, under one claim."""

    job: JobId
    epoch: int
    live: "Live"
    texts: PartialTexts | None = None

    def wrote(self, partial: PartialText) -> None:
        self.live.wrote(self, partial)

    def ended(self, partial: PartialText) -> None:
        self.live.ended(self, partial)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A piece on its way into the store."""

    held: _LiveJob
    partial: PartialText
    piece: ToldText
    place: Place
    recast: int


class Live:
    """The jobs of one organizer, as those see them who follow."""

    def __init__(self, told_texts: ToldTexts, owner: Owner, secret: str | None = None) -> None:
        self.address: str | None = None
        """Where the link is reached, once it is open."""
        self.text_came = asyncio.Event()
        """There is text to be stored."""
        self._told_texts = told_texts
        self._owner = owner
        self._server = LinkServer(self, secret)
        self._jobs: dict[JobId, _LiveJob] = {}
        self._unstored: dict[tuple[JobId, BranchId], PartialText] = {}
        self._store_at = 0.0

    async def listen(self, host: str, port: int, advertised: str | None = None) -> None:
        """Opens the link. `advertised` is the host under which others reach it; None: the one it listens on, or this
        machine's own, where that is all of them. Raises OSError."""
        taken = await self._server.open(host, port)
        everywhere = host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
        name = advertised or (socket.gethostbyname(socket.gethostname()) if everywhere else host)
        self.address = f"ws://{f'[{name}]' if ':' in name else name}:{taken}{PATH}"

    async def close(self) -> None:
        await self._server.close()

    # -- jobs

    def begin(self, job: JobId, epoch: int) -> PartialTexts:
        """A job is taken up: its texts, which are told from now on."""
        held = self._jobs[job] = _LiveJob(job, epoch, self)
        held.texts = PartialTexts(asyncio.get_running_loop().time, held)
        return held.texts

    def end(self, job: JobId, epoch: int) -> None:
        """A job is not run here any more."""
        held = self._jobs.get(job)
        if held is None or held.epoch != epoch:
            return
        del self._jobs[job]
        for partial in held.texts or ():
            self.ended(held, partial)

    def reached(self, job: JobId, seq: int, *, over: bool) -> None:
        """The journal of this job is committed up to `seq`; with `over`, the job has ended with that."""
        self._server.reached(job, seq, over=over)

    def wrote(self, held: _LiveJob, partial: PartialText) -> None:
        wanted = self._server.texts_of(held.job) if self._jobs.get(held.job) is held else Texts.NONE
        if partial.final and wanted is not Texts.NONE:
            self._unstored[held.job, partial.branch] = partial
            self.text_came.set()
        elif wanted is Texts.ALL:
            self._server.wrote(held.job, partial.branch)

    def ended(self, held: _LiveJob, partial: PartialText) -> None:
        if self._unstored.get((held.job, partial.branch)) is partial:
            del self._unstored[held.job, partial.branch]
        self._server.ended(held.job, partial.branch, partial.segment)

    # -- storing

    async def store_texts(self) -> None:
        """Stores text of final thoughts that came, then lets it be told. Raises StoreAway; it stays to be stored."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._store_at - loop.time())
        taken = self._take()
        if not taken:
            return
        self._store_at = loop.time() + TEXT_SECONDS
        pieces: dict[tuple[JobId, int], list[ToldText]] = {}
        for each in taken:
            pieces.setdefault((each.held.job, each.held.epoch), []).append(each.piece)
        try:
            held = await self._told_texts.save(pieces)
        except StoreAway:
            self._unstored = {
                (each.held.job, each.partial.branch): each.partial for each in taken
            } | self._unstored
            raise
        for each in taken:
            each.partial.pieces = each.piece.ordinal + 1
            if each.held.job in held and each.partial.recast == each.recast:
                each.partial.stored = each.place
                self._server.wrote(each.held.job, each.partial.branch)

    def _take(self) -> list[_Taken]:
        unstored, self._unstored = self._unstored, {}
        taken = []
        for (job, _), partial in unstored.items():
            held = self._jobs.get(job)
            if held is not None and partial.since and partial.place != partial.stored:
                taken.append(_Taken(held, partial, partial.told_text(), partial.place, partial.recast))
        return taken

    # -- for the link

    def nudge(self, job: JobId | None = None) -> None:
        self._owner.nudge(job)

    def followed(self, job: JobId) -> None:
        """Somebody reads text of this job from now on: what there is of its final thought is stored first."""
        held = self._jobs.get(job)
        if held is not None:
            for partial in held.texts or ():
                if partial.final:
                    self.wrote(held, partial)

    def open_branches(self, job: JobId) -> Iterable[BranchId]:
        held = self._jobs.get(job)
        return [partial.branch for partial in (held.texts or ())] if held is not None else ()

    def open_text(self, job: JobId, branch: BranchId) -> OpenText | None:
        held = self._jobs.get(job)
        partial = held.texts.get(branch) if held is not None and held.texts is not None else None
        return partial.open_text() if partial is not None else None

    def load(self) -> PoolLoad:
        return self._owner.load()
