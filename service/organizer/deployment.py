"""Deploys the organizer on Serve."""

import asyncio
import logging
import os
import socket

from ray import serve

from anabranch.service.organizer.guardian import Guardian
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.policies import load_policies
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.checks.ray import RayChecks
from anabranch.workers.pool.serve import ServePool

NAME = "Organizer"
logger = logging.getLogger(__name__)


class OrganizerDeployment:
    """One organizer in a process of its own. Serve asks after its health, and replaces it."""

    async def __init__(self, settings: Settings, pool_app: str, model: str) -> None:  # type: ignore[misc]
        # Serve awaits it: what it opens belongs to the replica's event loop.
        load_policies(settings.policy_modules)
        await schema.check(settings.database)
        self._store = Store(settings.database)
        self._pool = ServePool(pool_app, silence_seconds=settings.silence_seconds)
        self._traces = Traces(self._store, model)
        name = f"{socket.gethostname()}/{os.getpid()}/{serve.get_replica_context().replica_id.unique_id}"
        secret = settings.link_secret.get_secret_value() if settings.link_secret is not None else None
        self._guardian = Guardian(settings.database, name, settings.lease_seconds)
        self._organizer = Organizer(
            self._store,
            self._pool,
            RayChecks(settings.tools),
            self._traces,
            name=name,
            lease_seconds=settings.lease_seconds,
            tenant_max_running=settings.tenant_max_running,
            mark=self._guardian.mark,
            link_secret=secret,
        )
        await self._organizer.live.listen(settings.link_host, settings.link_port, settings.link_address)
        self._working = asyncio.create_task(self._organizer.run(), name="organizer")

    async def check_health(self) -> None:
        """Raises what ended the loop, if anything did; Serve then replaces this replica."""
        if self._working.done():
            self._working.result()
            raise RuntimeError("the organizer has stopped")
        self._guardian.check()

    async def __del__(self) -> None:
        """Serve awaits it when it stops the replica gracefully."""
        await self._organizer.drain()
        await self._working
        await self._organizer.live.close()
        await self._traces.close()
        await self._pool.close()
        await self._store.close()
        await asyncio.to_thread(self._guardian.close)


def organizer(settings: Settings, *, pool_app: str, model: str) -> serve.Application:
    """The deployment, ready to be run."""
    deployment = serve.deployment(
        OrganizerDeployment,
        name=NAME,
        num_replicas=settings.organizers,
        max_ongoing_requests=1000,
        health_check_period_s=1,
        health_check_timeout_s=5,
        graceful_shutdown_timeout_s=10,
        ray_actor_options={"num_cpus": 0},
    )
    return deployment.bind(settings, pool_app, model)
