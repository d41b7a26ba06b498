"""Starts the whole service in this process, without Ray: REST, one organizer, and pools of one replica each.

It is for engines that compute little themselves: an upstream's, and the scripted one. All else is as on Ray: the same
organizer loop, link, segmenter and replica; only the calls between organizer and replica stay on one event loop, and
checks run in threads. The organizer's loop has a thread of its own, as REST's has: neither keeps the other waiting. Its
guardian is a process of its own, too, and ends this one when a job has held the organizer for a whole lease.
"""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

from anabranch.client import Client
from anabranch.service import loops
from anabranch.service.api.server import bind, serve_on
from anabranch.service.instance import INSTANCE
from anabranch.service.organizer.first_hand import FirstHand
from anabranch.service.organizer.guardian import Guardian
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.policies import load_policies
from anabranch.service.readiness import NotReady, Report, wait_for_rest
from anabranch.service.settings import Settings
from anabranch.service.store.sql.database import Database
from anabranch.service.store.store import Store
from anabranch.workers.checks.local import LocalChecks
from anabranch.workers.engines.factory import build_engine
from anabranch.workers.engines.protocol import Engine
from anabranch.workers.errors import ModelUnavailable
from anabranch.workers.pool.local import LocalPool
from anabranch.workers.pool.pools import Pools
from anabranch.workers.settings import PoolSettings

CHECK_SECONDS = 1.0
"""Between two looks at the guardian."""

logger = logging.getLogger(__name__)

Built = Mapping[str, tuple[PoolSettings, Engine]]
"""Each pool's engine, by the pool's name."""


@dataclass(frozen=True, slots=True)
class OneProcess:
    """See `RunningService`."""

    url: str
    organizing: "_Organizing"

    def wait_until_ready(self, report: Report, *, seconds: float = 600.0) -> None:  # noqa: ARG002
        with Client(self.url) as client:
            wait_for_rest(client.ready, seconds)

    def why_ended(self) -> str | None:
        if self.organizing.lives:
            return None
        return "the organizer has ended, see above; every job is kept: start anabranch up again"


@contextmanager
def run_in_one_process(settings: Settings) -> Iterator[OneProcess]:
    """Starts everything; stops it, with a clean hand-over, when the block ends.

    The schema must be there (`anabranch db upgrade`). Raises CannotListen, and NotReady where an upstream is away.
    """
    with ExitStack() as stack:
        bound = stack.enter_context(bind((settings.host, settings.port)))
        organizing = stack.enter_context(organize(settings))
        url = stack.enter_context(serve_on(bound, settings, organizing.database, organizing.first_hand))
        yield OneProcess(url, organizing)


@contextmanager
def organize(settings: Settings) -> Iterator["_Organizing"]:
    """Runs an organizer and its pools, without REST, while the block runs.

    Raises NotReady where an upstream is away.
    """
    organizing = _Organizing(settings, _build_engines(settings))
    try:
        organizing.start()
        yield organizing
    finally:
        organizing.stop()


def _build_engines(settings: Settings) -> Built:
    try:
        return {pool.name: (pool, build_engine(pool.engine)) for pool in settings.pool_settings()}
    except ModelUnavailable as error:
        raise NotReady(str(error)) from error


class _Organizing:
    """The organizer and its pools, on the event loop of a thread of their own."""

    def __init__(self, settings: Settings, engines: Built) -> None:
        self._settings = settings
        self._engines = engines
        self._thread = threading.Thread(target=self._run, name="organizer", daemon=True)
        self._begun = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_stop = asyncio.Event()
        self.database: Database | None = None
        """The organizer's, once it has begun."""
        self.first_hand: FirstHand | None = None

    @property
    def lives(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        """Returns when REST can be linked. Raises what kept it from that."""
        self._thread.start()
        self._begun.wait()
        if isinstance(self._failure, OSError):
            where = f"{self._settings.link_host}:{self._settings.link_port} ({self._failure.strerror})"
            raise NotReady(
                f"the organizer cannot listen on {where}; ANABRANCH_LINK_PORT=0 takes a free port"
            ) from self._failure
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Hands over, and returns when all is given back."""
        if self._loop is not None and self.lives:
            with suppress(RuntimeError):  # the loop has just ended by itself
                self._loop.call_soon_threadsafe(self._asked_to_stop.set)
        if self._begun.is_set():
            self._thread.join()

    def _run(self) -> None:
        try:
            loops.run(self._organize())
        except Exception as error:
            if self._begun.is_set():
                logger.exception("the organizer has ended")
            self._failure = error
        finally:
            self._begun.set()

    async def _organize(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with _organizer(self._settings, self._engines) as (store, organizer, guardian):
            self.database = store.database
            self.first_hand = FirstHand(organizer)
            working = asyncio.create_task(organizer.run(), name="organizer")
            stopping = asyncio.create_task(self._asked_to_stop.wait())
            self._begun.set()
            while not (working.done() or stopping.done()):
                await asyncio.wait({working, stopping}, timeout=CHECK_SECONDS, return_when="FIRST_COMPLETED")
                guardian.check()
            stopping.cancel()
            if not working.done():
                await organizer.drain()
            await working


@asynccontextmanager
async def _organizer(settings: Settings, engines: Built) -> AsyncIterator[tuple[Store, Organizer, Guardian]]:
    """An organizer that listens for REST, and is ready to run."""
    load_policies(settings.policy_modules)
    store = Store(settings.database, connections=settings.connections)
    local = {name: _local(*built) for name, built in engines.items()}
    pool = Pools(local, settings.model_names(), cluster=INSTANCE)  # no other process has these replicas
    first, _ = next(iter(engines.values()))
    traces = Traces(store, first.engine.model or first.engine.name)
    name = f"{socket.gethostname()}/{os.getpid()}"
    guardian = Guardian(settings.database, name, settings.lease_seconds)
    secret = settings.link_secret.get_secret_value() if settings.link_secret is not None else None
    organizer = Organizer(
        store,
        pool,
        LocalChecks(settings.tools),
        traces,
        name=name,
        lease_seconds=settings.lease_seconds,
        tenant_max_running=settings.tenant_max_running,
        mark=guardian.mark,
        link_secret=secret,
    )
    try:
        await organizer.live.listen(settings.link_host, settings.link_port, settings.link_address)
        yield store, organizer, guardian
    finally:
        await organizer.live.close()
        await traces.close()
        await pool.close()
        await store.close()
        await asyncio.to_thread(guardian.close)


def _local(pool: PoolSettings, engine: Engine) -> LocalPool:
    return LocalPool(
        engine,
        max_decodes=pool.max_decodes,
        text_interval=pool.text_interval,
        stall_seconds=pool.stall_seconds,
        name=pool.name,
    )
