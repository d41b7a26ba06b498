"""Serves the REST surface from a thread of this process; meanwhile it purges jobs, packs journals, sends webhooks."""

import asyncio
import logging
import math
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn

from anabranch.service import loops
from anabranch.service.api.app import create_app
from anabranch.service.api.batches.runner import BatchRunner
from anabranch.service.api.live.dependencies import Dependencies, FirstHand
from anabranch.service.api.live.feed import Feed
from anabranch.service.api.live.served import ServedModels
from anabranch.service.link.links import Links
from anabranch.service.retention import keep_packing, keep_purging
from anabranch.service.settings import Settings
from anabranch.service.store.programs import Role, this_program
from anabranch.service.store.sql import schema
from anabranch.service.store.sql.database import Database
from anabranch.service.store.store import Store
from anabranch.service.tenants.file import Usual, read
from anabranch.service.tenants.keyring import Keyring
from anabranch.service.tenants.limits import OwnLimits
from anabranch.service.tenants.shared_limits import SharedLimits
from anabranch.service.webhooks.deliverer import Deliverer
from anabranch.service.webhooks.targets import read_networks

LAST_SECONDS = 2.0
"""How long those who wait for a job, and streams, then have to come to an end."""
BEGIN_AGAIN_SECONDS = 5.0
"""After which a work beside answering that broke is begun again."""
FREE_LOOPBACK_PORT = ("127.0.0.1", 0)
logger = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]


class CannotListen(Exception):
    """The address is taken, or not this machine's."""

    def __init__(self, host: str, port: int, cause: OSError) -> None:
        super().__init__(
            f"cannot listen on {host}:{port} ({cause.strerror}); choose another address with --host and --port"
        )


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
def serve_api(settings: Settings, address: tuple[str, int] = FREE_LOOPBACK_PORT) -> Iterator[str]:
    """Serves on this address while the block runs; gives the URL. See `serve_on`. Raises CannotListen besides."""
    with bind(address) as bound, serve_on(bound, settings) as url:
        yield url


@contextmanager
def serve_on(
    bound: socket.socket,
    settings: Settings,
    beside: Database | None = None,
    first_hand: FirstHand | None = None,
) -> Iterator[str]:
    """Serves on a bound socket while the block runs; gives the URL. Organizers are reached by the link, wherever they
    are; where one is in this process, REST's store is opened `beside` its own, and fresh jobs are given to it at
    `first_hand`.

    Raises BadTenants, SchemaBehind and StoreAway.
    """
    loops.switch_quickly()
    asyncio.run(schema.check(settings.database))
    if settings.tenants is not None:
        read(settings.tenants)
    bound.listen()
    server = _Server()
    thread = threading.Thread(
        target=lambda: loops.run(server.run(settings, bound, beside, first_hand)),
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


class _Uvicorn(uvicorn.Server):
    """Ends waits and streams by itself when it stops; what is cancelled in the midst would be answered 500."""

    def __init__(self, config: uvicorn.Config, feed: Feed, stop_seconds: float) -> None:
        super().__init__(config)
        self._feed = feed
        self._stop_seconds = stop_seconds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no more connections; what is being answered may go on for a while."""
        asyncio.get_running_loop().call_later(self._stop_seconds, self._feed.stop)
        await super().shutdown(sockets)


class _Server:
    """One uvicorn, run by a thread of its own."""

    def __init__(self) -> None:
        self._started = threading.Event()
        self._uvicorn: uvicorn.Server | None = None
        self._failure: Exception | None = None

    async def run(
        self,
        settings: Settings,
        listener: socket.socket,
        database: Database | None,
        first_hand: FirstHand | None,
    ) -> None:
        try:
            secret = settings.link_secret.get_secret_value() if settings.link_secret is not None else None
            async with (
                Store(settings.database, connections=settings.connections, beside=database) as store,
                Links(store.organizers, secret) as links,
            ):
                feed = Feed(store.journal, links)
                links.read_by(feed)
                deps = Dependencies(
                    settings=settings,
                    store=store,
                    feed=feed,
                    organizers=links,
                    served=ServedModels(settings),
                    keyring=_keyring(settings, store),
                    first_hand=first_hand,
                    limits=OwnLimits() if database is not None else SharedLimits(store.usage_counts),
                )
                patience = math.ceil(settings.stop_seconds + LAST_SECONDS)
                config = uvicorn.Config(
                    create_app(deps), log_level="warning", timeout_graceful_shutdown=patience
                )
                self._uvicorn = _Uvicorn(config, feed, settings.stop_seconds)
                beside = [asyncio.create_task(_keep_at(name, work), name=name) for name, work in _works(deps)]
                self._started.set()  # the socket listens: whoever is early waits in its queue
                await self._uvicorn.serve([listener])
                for work in beside:
                    work.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
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


def _works(deps: Dependencies) -> Iterator[tuple[str, Work]]:
    """What is done beside answering, as long as this process serves, by name."""
    settings, store = deps.settings, deps.store
    yield "batches", BatchRunner(deps).run
    yield "sign of life", partial(store.programs.keep, this_program(Role.API))
    yield "purging", partial(keep_purging, store.maintenance, settings.retention_days)
    yield "packing", partial(keep_packing, store.maintenance, settings.pack_after_days)
    if settings.deliver_webhooks:
        yield "webhooks", Deliverer(store.webhooks, read_networks(settings.webhook_networks)).run


async def _keep_at(name: str, work: Work) -> None:
    """Does a work until it is done. One that breaks is begun again: nobody else would notice that it has ended."""
    while True:
        try:
            return await work()
        except Exception:
            logger.exception("work beside answering broke (%s)", name)
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise  # it broke as it was stopped
        await asyncio.sleep(BEGIN_AGAIN_SECONDS)


def _keyring(settings: Settings, store: Store) -> Keyring:
    usual = Usual(requests_per_minute=settings.tenant_requests_per_minute, streams=settings.tenant_streams)
    return Keyring(store.keys, file=settings.tenants, ask=settings.ask_for_keys, usual=usual)


def _url(host: str, port: int) -> str:
    """Where a browser on this machine finds it."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://{name}:{port}"
