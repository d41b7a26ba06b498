"""Deploys on Ray Serve: what is deployed, whether it is ready, how the organizers are reached."""

import asyncio
import time
from collections.abc import Callable, Coroutine

from ray import serve
from ray.exceptions import RayError

from anabranch.dag.ids import JobId
from anabranch.service.organizer import deployment
from anabranch.service.settings import Settings
from anabranch.workers.cluster.ray_private import open_shared_handle
from anabranch.workers.pool import deployment as pool_deployment
from anabranch.workers.pool.protocol import PoolLoad
from anabranch.workers.pool.status import pool_status
from anabranch.workers.settings import PoolSettings

POLL_SECONDS = 0.25
LOAD_SECONDS = 1.0
ANSWER_SECONDS = 1.0


class NotReady(Exception):
    """The service cannot answer jobs. The message says what is missing."""


def deploy(settings: Settings, pool: PoolSettings, *, pool_app: str, organizer_app: str) -> None:
    """Ask Serve for the pool and the organizers. Returns when the organizers run; engines take longer."""
    pool_deployment.deploy(pool, app=pool_app)
    serve.run(
        deployment.organizer(settings, pool_app=pool_app, model=pool.engine.model or pool.engine.name),
        name=organizer_app,
        route_prefix=None,
    )


def wait_for_pool(pool: PoolSettings, pool_app: str, report: Callable[[str], None], seconds: float) -> None:
    """Until one replica decodes; `report` hears each change. Raises NotReady."""
    give_up, told = time.monotonic() + seconds, ""
    while True:
        status = pool_status(pool, app=pool_app)
        if status.words != told:
            told = status.words
            report(told)
        if status.running:
            return
        if status.failed or time.monotonic() > give_up:
            raise NotReady(told)
        time.sleep(POLL_SECONDS)


class ServeOrganizers:
    """The organizers, from the event loop of the REST surface. Made and used there."""

    def __init__(self, app: str) -> None:
        self._handle = open_shared_handle(deployment.NAME, app)
        self._load: PoolLoad | None = None
        self._asked_at = float("-inf")
        self._errands: set[asyncio.Task[None]] = set()

    def nudge(self, job: JobId) -> None:  # noqa: ARG002 - whoever is nudged looks for all that can be claimed
        """A nudge that is lost costs one round of polling."""
        self._go(self._nudge())

    def load(self) -> PoolLoad | None:
        """As last heard; asks again behind the caller's back."""
        if time.monotonic() - self._asked_at > LOAD_SECONDS:
            self._asked_at = time.monotonic()
            self._go(self._ask())
        return self._load

    async def hear_load(self) -> PoolLoad | None:
        """As the organizers say now; None when they do not answer within ANSWER_SECONDS."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._ask()
        except TimeoutError:
            return None
        return self._load

    def _go(self, errand: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _nudge(self) -> None:
        try:
            await self._handle.nudge.remote()
        except RayError:
            return  # it is being replaced; its successor looks by itself

    async def _ask(self) -> None:
        try:
            self._load = await self._handle.load.remote()
        except RayError:
            self._load = None
