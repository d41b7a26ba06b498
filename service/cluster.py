"""Deploys on Ray Serve: what is deployed, and whether it is ready."""

import time
from collections.abc import Callable

from ray import serve

from anabranch.service.organizer import deployment
from anabranch.service.settings import Settings
from anabranch.workers.pool import deployment as pool_deployment
from anabranch.workers.pool.status import pool_status
from anabranch.workers.settings import PoolSettings

POLL_SECONDS = 0.25


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
