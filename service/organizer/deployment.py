"""Deploys the organizer on Serve."""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from typing import Any

from ray import serve

from anabranch.service import loops
from anabranch.service.organizer.guardian import Guardian
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.organizer.turn import Turn
from anabranch.service.policies import load_policies
from anabranch.service.settings import BadSettings, Settings
from anabranch.service.settings.source import SettingsSource
from anabranch.service.start_check import await_schema
from anabranch.service.store.store import Store
from anabranch.workers.checks.ray import RayChecks
from anabranch.workers.cluster.ray_private import cluster_id
from anabranch.workers.pool.autoscaling import stat_of, teller_scaling
from anabranch.workers.pool.deployment import deployment_name
from anabranch.workers.pool.pools import Pools
from anabranch.workers.pool.serve import ServePool
from anabranch.workers.pool.starting import watch_starts

APP = "anabranch"
"""The application that organizers and pools are deployed in: by this name they find each other."""
NAME = "Organizer"
CPU_SHARE = 0.1
"""CPUs that an organizer takes by Ray's count on a cluster, so that none is put on a head, which has none to give."""
PLACE = "organizers"
"""What nodes of a cluster have one of where an organizer may be, where the settings have `places`."""

logger = logging.getLogger(__name__)


class OrganizerDeployment:
    """One organizer in a process of its own. Serve asks after its health, and replaces it."""

    async def __init__(  # type: ignore[misc]
        self,
        source: SettingsSource,
        pools: Sequence[Any],  # noqa: ARG002 - what makes them parts of one application
        *,
        private: bool,
    ) -> None:
        # Serve awaits it: what it opens belongs to the replica's event loop.
        replica = serve.get_replica_context()
        if replica.app_name != APP:
            raise BadSettings(f"the application must be named {APP!r}, not {replica.app_name!r}")
        loops.switch_quickly()
        settings = source.read()
        if not private:
            settings.require_shared_database()
        load_policies(settings.policy_modules)
        await await_schema(settings.database, logger.warning)
        self._store = Store(settings.database, connections=settings.connections)
        self._declared = declared = settings.pool_settings()
        silence = settings.silence_seconds
        of_names = {pool.name: ServePool(APP, pool=pool.name, silence_seconds=silence) for pool in declared}
        self._pool = Pools(of_names, settings.model_names(), cluster_id())
        engine = declared[0].engine
        self._traces = Traces(self._store, engine.model or engine.name)
        name = f"{socket.gethostname()}/{os.getpid()}/{replica.replica_id.unique_id}"
        secret = settings.link_secret.get_secret_value() if settings.link_secret is not None else None
        generation = None
        if not private:
            generation = await self._store.organizers.join_generation(settings.generation or cluster_id())
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
            turn=Turn(generation, self._is_ready),
        )
        await self._organizer.live.listen(settings.link_host, settings.link_port, settings.link_address)
        named = {pool.name: pool for pool in declared}
        self._watching = asyncio.create_task(watch_starts(APP, of_names, named), name="starts")
        self._working = asyncio.create_task(self._organizer.run(), name="organizer")
        loops.spare_what_is_loaded()

    def _is_ready(self) -> bool:
        """Whether each pool answers that is not one to sleep while nobody asks."""
        loads = self._pool.load().pools
        return all(loads[pool.name].replicas > 0 for pool in self._declared if pool.min_replicas != 0)

    async def check_health(self) -> None:
        """Raises what ended the loop, if anything did; Serve then replaces this replica."""
        if self._working.done():
            self._working.result()
            raise RuntimeError("the organizer has stopped")
        self._guardian.check()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve hears every second, and hands to the policy that scales pools: the decodes wanted of each. Serve
        runs a method that is not async in a thread, where pools change while they are counted."""
        loads = self._pool.load().pools
        return {stat_of(deployment_name(pool)): float(load.decoding) for pool, load in loads.items()}

    async def __del__(self) -> None:
        """Serve awaits it when it stops the replica gracefully."""
        self._watching.cancel()
        await self._organizer.drain()
        await self._working
        await self._organizer.live.close()
        await self._traces.close()
        await self._pool.close()
        await self._store.close()
        await asyncio.to_thread(self._guardian.close)


def organizer(
    settings: Settings, source: SettingsSource, *, pools: Sequence[serve.Application], private: bool
) -> serve.Application:
    """The deployment, with its pools an application that is ready to be run. It is placed by `settings`; each replica
    reads them again from `source`. `private`: all is on one machine; elsewhere no machine gets two organizers."""
    scaling = not private and any(pool.max_replicas is not None for pool in settings.pool_settings())
    deployment = serve.deployment(
        OrganizerDeployment,
        name=NAME,
        num_replicas=None if scaling else settings.organizers,
        autoscaling_config=teller_scaling(settings.organizers) if scaling else None,
        max_ongoing_requests=1000,
        health_check_period_s=1,
        health_check_timeout_s=5,
        graceful_shutdown_timeout_s=10,
        graceful_shutdown_wait_loop_s=0.1,  # nobody calls it: Serve's two seconds would be for calls
        ray_actor_options={
            "num_cpus": 0 if private else CPU_SHARE,
            "resources": {PLACE: 1} if settings.places and not private else {},
        },
        max_replicas_per_node=None if private else 1,
    )
    return deployment.bind(source, pools, private=private)
