"""Serves the REST surface from a thread of this process, and purges old jobs as long as it does."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from anabranch.dag.ids import JobId
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies, Organizers
from anabranch.service.api.live.feed import Feed
from anabranch.service.retention import keep_purging
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.service.tenants import Tenants
from anabranch.workers.pool.protocol import PoolLoad

STOP_SECONDS = 2
"""How long answers that are still being sent, mostly streams, may go on when the server stops."""
FREE_LOOPBACK_PORT = ("127.0.0.1", 0)


class CannotListen(Exception):
    """The address is taken, or not this machine's."""

    def __init__(self, host: str, port: int, cause: OSError) -> None:
        super().__init__(
            f"cannot listen on {host}:{port} ({cause.strerror}); choose another address with --host and --port"
        )


class NoOrganizers:
    """No organizer is near; one elsewhere may work on the same store, and finds by itself what is written there."""

    def nudge(self, job: JobId) -> None:
        pass

    def load(self) -> PoolLoad | None:
        return None

    async def hear_load(self) -> PoolLoad | None:
        return None


@contextmanager
def bind(address: tuple[str, int]) -> Iterator[socket.socket]:
    """A socket of this address, which nobody else can take; it does not listen yet. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    # The protocol is named, or asyncio would not know that it is TCP, and leave small answers waiting (Nagle).
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(address)
        except OSError as error:
            raise CannotListen(*address, error) from error
        yield bound


@contextmanager
def serve_api(
    settings: Settings,
    connect: Callable[[], Organizers] = NoOrganizers,
    address: tuple[str, int] = FREE_LOOPBACK_PORT,
) -> Iterator[str]:
    """Serves on this address while the block runs; gives the URL. See `serve_on`. Raises CannotListen besides."""
    with bind(address) as bound, serve_on(bound, settings, connect) as url:
        yield url


@contextmanager
def serve_on(
    bound: socket.socket, settings: Settings, connect: Callable[[], Organizers] = NoOrganizers
) -> Iterator[str]:
    """Serves on a bound socket while the block runs; gives the URL. `connect` is called where the app runs, on its
    event loop.

    Raises BadTenants, SchemaBehind and StoreAway.
    """
    asyncio.run(schema.check(settings.database))
    tenants = Tenants(settings.tenants) if settings.tenants is not None else None
    bound.listen()
    server = _Server()
    thread = threading.Thread(
        target=lambda: asyncio.run(server.run(settings, tenants, connect, bound)),
        name="api",
        daemon=True,
    )
    thread.start()
    try:
        server.await_started()
        yield _url(*bound.getsockname()[:2])
    finally:
        server.stop()
        thread.join()


class _Server:
    """One uvicorn, run by a thread of its own."""

    def __init__(self) -> None:
        self._started = threading.Event()
        self._uvicorn: uvicorn.Server | None = None
        self._failure: Exception | None = None

    async def run(
        self,
        settings: Settings,
        tenants: Tenants | None,
        connect: Callable[[], Organizers],
        listener: socket.socket,
    ) -> None:
        try:
            async with Store(settings.database) as store:
                deps = Dependencies(
                    settings=settings,
                    store=store,
                    feed=Feed(store.journal),
                    organizers=connect(),
                    tenants=tenants,
                )
                config = uvicorn.Config(
                    create_app(deps), log_level="warning", timeout_graceful_shutdown=STOP_SECONDS
                )
                self._uvicorn = uvicorn.Server(config)
                keeping = asyncio.create_task(
                    keep_purging(store.maintenance, settings.retention_days), name="retention"
                )
                self._started.set()  # the socket listens: whoever is early waits in its queue
                await self._uvicorn.serve([listener])
                keeping.cancel()
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._started.set()

    def await_started(self) -> None:
        """Raises what kept it from starting."""
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True


def _url(host: str, port: int) -> str:
    """Where a browser on this machine finds it."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://{name}:{port}"
