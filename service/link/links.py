"""Holds a REST process's end of the link: one connection to each organizer that lives, made again when it breaks."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Protocol, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from anabranch.dag.ids import BranchId, JobId
from anabranch.service.link.frames import PING_SECONDS, SILENCE_SECONDS, Down, TextNews, Texts, Up
from anabranch.service.link.loads import add_up
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.jobs.organizers import OrganizerRow
from anabranch.workers.pool.protocol import PoolLoad

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks at who lives."""
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
"""Between two tries to connect."""
LOAD_SECONDS = 2.0
"""How long a load is waited for when nobody has told one yet."""


class Addresses(Protocol):
    """Who can be reached; `store.organizers` is one."""

    async def list(self) -> Mapping[str, OrganizerRow]: ...


class Reader(Protocol):
    """Who is told what comes up the link."""

    def reached(self, job: JobId, seq: int) -> None: ...

    def over(self, job: JobId) -> None:
        """This job has ended."""
        ...

    def wrote(self, organizer: str, text: TextNews) -> None: ...

    def ended(self, job: JobId, branch: BranchId, segment: int) -> None: ...

    def lost(self, organizer: str) -> None:
        """The connection to this organizer is gone: its text is told anew, if at all."""
        ...

    def linked(self, *, all_of_them: bool) -> None:
        """Whether each organizer that lives is linked now, and so tells all that happens."""
        ...


class _Link:
    """One connection, or the place of one that is being made."""

    def __init__(self, row: OrganizerRow) -> None:
        self.row = row
        """What the store said when it was last read."""
        self.task: asyncio.Task[None] | None = None
        self.open = False
        self._heard: PoolLoad | None = None
        self._nudge: set[JobId] = set()
        self._follow: dict[JobId, Texts] = {}
        self._unfollow: set[JobId] = set()
        self._news = asyncio.Event()

    def nudge(self, job: JobId) -> None:
        self._nudge.add(job)
        self._news.set()

    def follow(self, job: JobId, texts: Texts) -> None:
        self._follow[job] = texts
        self._unfollow.discard(job)
        self._news.set()

    def unfollow(self, job: JobId) -> None:
        self._follow.pop(job, None)
        self._unfollow.add(job)
        self._news.set()

    def begin(self, follows: Mapping[JobId, Texts]) -> None:
        """A connection was made: its peer knows of nothing yet."""
        self._follow, self._unfollow = dict(follows), set()
        self.open = True
        self._news.set()

    def end(self) -> None:
        self.open, self._heard = False, None

    @property
    def load(self) -> PoolLoad | None:
        """As last told; by the store where the link has not told yet, or does not reach."""
        return self._heard or self.row.load

    def hear(self, load: PoolLoad) -> None:
        self._heard = load

    async def tell(self, socket: ClientConnection) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            told = Down(nudge=frozenset(self._nudge), follow=self._follow, unfollow=frozenset(self._unfollow))
            self._nudge, self._follow, self._unfollow = set(), {}, set()
            await socket.send(told.write())


class Links:
    """The organizers, from the event loop of a REST process. Use it in an `async with`."""

    def __init__(self, addresses: Addresses, secret: str | None = None) -> None:
        self._addresses = addresses
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._links: dict[str, _Link] = {}
        self._follows: dict[JobId, Texts] = {}
        self._reader: Reader | None = None
        self._looking: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._looking = asyncio.create_task(self._look(), name="links")
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task in (self._looking, *(link.task for link in self._links.values())) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def read_by(self, reader: Reader) -> None:
        """From now on this reader is told what comes."""
        self._reader = reader
        self._tell_linked()

    # -- down

    def nudge(self, job: JobId) -> None:
        """Something was written for this job. Returns at once; a nudge that is lost costs one round of polling."""
        for link in self._links.values():
            if link.open:  # or one that never opens would keep every job that there is
                link.nudge(job)

    def follow(self, job: JobId, texts: Texts) -> None:
        """Whatever happens to this job is told from now on, and its text as far as it is wanted, from its beginning."""
        self._follows[job] = texts
        for link in self._links.values():
            if link.open:
                link.follow(job, texts)

    def unfollow(self, job: JobId) -> None:
        self._follows.pop(job, None)
        for link in self._links.values():
            if link.open:
                link.unfollow(job)

    # -- load

    def load(self) -> PoolLoad | None:
        """How busy the pools are, as last told; None when no organizer lives."""
        links = self._links.values()
        return add_up((link.row.generation, link.load) for link in links if link.load is not None)

    def count(self) -> int:
        """How many organizers live, as last heard."""
        return len(self._links)

    async def hear_load(self) -> PoolLoad | None:
        """The same, waited for where an organizer lives and is not linked yet; None when none is soon. Raises
        StoreAway."""
        if self.load() is None:
            self._keep(await self._addresses.list())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOAD_SECONDS):
                while self._links and self.load() is None:
                    self._heard.clear()
                    await self._heard.wait()
        return self.load()

    # -- who lives

    async def _look(self) -> None:
        while True:
            try:
                self._keep(await self._addresses.list())
            except StoreAway as error:
                logger.warning("organizers are not looked for: %s", error)
            except Exception:  # or none would be found for as long as this process lives
                logger.exception("organizers could not be looked for; it is tried again")
            await asyncio.sleep(LOOK_SECONDS)

    def _keep(self, alive: Mapping[str, OrganizerRow]) -> None:
        """A connection for each that lives. One that is open stays so: it knows better than the store."""
        for name, link in tuple(self._links.items()):
            moved = name in alive and alive[name].address != link.row.address
            if (moved or name not in alive) and not link.open:
                del self._links[name]
                if link.task is not None:
                    link.task.cancel()
        for name, row in alive.items():
            if name in self._links:
                self._links[name].row = row
            else:
                link = self._links[name] = _Link(row)
                link.task = asyncio.create_task(self._connect(name, link), name=f"link to {name}")
        self._tell_linked()

    def _tell_linked(self) -> None:
        if self._reader is not None:
            linked = bool(self._links) and all(link.open for link in self._links.values())
            self._reader.linked(all_of_them=linked)

    # -- one connection

    async def _connect(self, name: str, link: _Link) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                async with connect(
                    link.row.address,
                    additional_headers=self._headers,
                    compression=None,
                    proxy=None,
                    max_size=None,
                    open_timeout=SILENCE_SECONDS,
                    ping_interval=PING_SECONDS,
                    ping_timeout=SILENCE_SECONDS,
                    close_timeout=1.0,
                ) as socket:
                    pause = FIRST_PAUSE_SECONDS
                    await self._talk(name, link, socket)
            except (OSError, WebSocketException, ValueError, TypeError, LookupError) as error:
                logger.info("organizer %s is not linked: %r", name, error)
            except Exception:  # or it would stay unlinked for as long as both live
                logger.exception("the link to organizer %s broke; it is made again", name)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _talk(self, name: str, link: _Link, socket: ClientConnection) -> None:
        link.begin(self._follows)
        self._tell_linked()
        telling = asyncio.create_task(link.tell(socket), name=f"to {name}")
        try:
            async for frame in socket:
                self._hear(name, link, Up.read(frame))
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            link.end()
            if self._reader is not None:
                self._reader.lost(name)
            self._tell_linked()

    def _hear(self, name: str, link: _Link, told: Up) -> None:
        if told.load is not None:
            link.hear(told.load)
            self._heard.set()
        if self._reader is None:
            return
        for text in told.texts:
            self._reader.wrote(name, text)
        for job, branches in told.ended.items():
            for branch, segment in branches.items():
                self._reader.ended(job, branch, segment)
        for job, seq in told.seqs.items():
            self._reader.reached(job, seq)
        for job in told.over:
            self._reader.over(job)
