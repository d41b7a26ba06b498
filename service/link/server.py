"""Opens an organizer's end of the link: takes connections of REST processes, and tells each what it follows."""

import asyncio
import contextlib
import hmac
import logging
from collections import OrderedDict
from collections.abc import Iterable
from http import HTTPStatus
from typing import Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from anabranch.dag.ids import BranchId, JobId
from anabranch.service.link.frames import PATH, PING_SECONDS, SILENCE_SECONDS, TEXT_SECONDS, Down, Texts
from anabranch.service.link.outbox import Head, OpenText, Outbox
from anabranch.workers.pool.protocol import PoolLoad

logger = logging.getLogger(__name__)

JOBS = 4096
"""Journals of which is kept how far they are, so that who follows late misses nothing that has just happened."""
LOAD_SECONDS = 0.25
"""Between two looks at the load."""


class Worker(Protocol):
    """The organizer, as its end of the link knows it."""

    def nudge(self, job: JobId | None = None) -> None:
        """Something was written for this job, or for some job."""
        ...

    def followed(self, job: JobId) -> None:
        """Somebody reads text of this job from now on."""
        ...

    def open_branches(self, job: JobId) -> Iterable[BranchId]:
        """Those of this job that are being decoded here."""
        ...

    def open_text(self, job: JobId, branch: BranchId) -> OpenText | None:
        """A branch's open segment as far as it may be told; None where nothing of it may be."""
        ...

    def load(self) -> PoolLoad: ...


class LinkServer:
    """One organizer's end, for all REST processes. `open` it on the event loop of its organizer."""

    def __init__(self, worker: Worker, secret: str | None = None) -> None:
        self._worker = worker
        self._secret = secret
        self._connections: set[_Connection] = set()
        self._heads: OrderedDict[JobId, Head] = OrderedDict()
        self._server: Server | None = None
        self._measuring: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> int:
        """Listens; gives the port. Raises OSError."""
        self._server = await serve(
            self._serve,
            host,
            port,
            origins=[None],  # a browser always tells one
            process_request=self._refuse,
            compression=None,
            ping_interval=PING_SECONDS,
            ping_timeout=SILENCE_SECONDS,
            close_timeout=1.0,
            server_header=None,
        )
        self._measuring = asyncio.create_task(self._measure(), name="link load")
        taken: int = next(iter(self._server.sockets)).getsockname()[1]
        return taken

    async def close(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    # -- what happens here

    def reached(self, job: JobId, seq: int, *, over: bool = False) -> None:
        """The journal of this job is committed up to `seq`; with `over`, the job has ended with that."""
        head = self._heads[job] = Head(seq, over)
        self._heads.move_to_end(job)
        if len(self._heads) > JOBS:
            self._heads.popitem(last=False)
        for connection in self._connections:
            connection.outbox.reached(job, head)
            connection.wake()

    def wrote(self, job: JobId, branch: BranchId) -> None:
        """A branch has more text that may be told."""
        for connection in self._connections:
            connection.outbox.wrote(job, branch)
            connection.wake()

    def ended(self, job: JobId, branch: BranchId, segment: int) -> None:
        """No more text comes of this segment, nor of those before it."""
        for connection in self._connections:
            connection.outbox.ended(job, branch, segment)
            connection.wake()

    def texts_of(self, job: JobId) -> Texts:
        """Which text of this job anybody reads."""
        wanted = (connection.outbox.follows.get(job, Texts.NONE) for connection in self._connections)
        return max(wanted, default=Texts.NONE)

    # -- connections

    def _refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, "The link is at /link.\n")
        told = request.headers.get("Authorization", "")
        if self._secret is not None and not hmac.compare_digest(
            told.encode(errors="surrogateescape"), f"Bearer {self._secret}".encode()
        ):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "ANABRANCH_LINK_SECRET differs here.\n")
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        connection = _Connection(socket, self._worker)
        self._connections.add(connection)
        connection.outbox.measured(self._worker.load())
        telling = asyncio.create_task(connection.tell(), name="link")
        try:
            async for frame in socket:
                self._hear(connection, Down.read(frame))
        except ConnectionClosed:
            pass
        except (ValueError, TypeError, LookupError) as error:
            logger.warning("the link hangs up on what is no frame: %r", error)
        finally:
            self._connections.discard(connection)
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    def _hear(self, connection: "_Connection", told: Down) -> None:
        for job, texts in told.follow.items():
            connection.outbox.follow(job, texts, self._heads.get(job), self._worker.open_branches(job))
            if texts is not Texts.NONE:
                self._worker.followed(job)
        for job in told.unfollow:
            connection.outbox.unfollow(job)
        for job in told.nudge:
            self._worker.nudge(job)
        connection.wake()

    async def _measure(self) -> None:
        while True:
            load = self._worker.load()
            for connection in self._connections:
                connection.outbox.measured(load)
                connection.wake()
            await asyncio.sleep(LOAD_SECONDS)


class _Connection:
    """One REST process, and what it is still to be told."""

    def __init__(self, socket: ServerConnection, worker: Worker) -> None:
        self.outbox = Outbox()
        self._socket = socket
        self._worker = worker
        self._news = asyncio.Event()

    def wake(self) -> None:
        self._news.set()

    async def tell(self) -> None:
        """Sends what there is to tell, text at most every TEXT_SECONDS, until the connection ends."""
        try:
            await self._tell()
        except ConnectionClosed:
            pass
        except Exception:  # a peer that is told nothing would think that nothing happens
            logger.exception("the link hangs up on a REST process: it could not be told what there is")
            self._socket.transport.abort()

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        text_due = 0.0
        while True:
            await self._news.wait()
            self._news.clear()
            if self.outbox.waits_only_for_text and (early := text_due - loop.time()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(early):
                        await self._news.wait()
                self._news.set()
                continue
            frame = self.outbox.take(self._worker.open_text)
            if frame is None:
                continue
            if frame.texts:
                text_due = loop.time() + TEXT_SECONDS
            await self._send(frame.write())

    async def _send(self, frame: str) -> None:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                await self._socket.send(frame)
        except TimeoutError:
            logger.warning("the link hangs up on a REST process that takes nothing")
            self._socket.transport.abort()
