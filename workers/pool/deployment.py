"""Deploys the worker pool on Serve: each of its replicas hosts one engine."""

import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from ray import serve
from ray.serve.config import RequestRouterConfig

from anabranch.workers.cores import usable_cores
from anabranch.workers.engines.factory import EngineSettings, build_engine
from anabranch.workers.engines.protocol import Engine
from anabranch.workers.errors import ModelUnavailable
from anabranch.workers.messages import DecodeRequest, Key
from anabranch.workers.pool.autoscaling import pool_scaling
from anabranch.workers.pool.request_router import AddressedRouter
from anabranch.workers.replica.replica import Batch, Replica, ReplicaState
from anabranch.workers.settings import PoolSettings

logger = logging.getLogger(__name__)

CPU_SHARE = 0.1
"""CPUs that a replica takes by Ray's count on a cluster, so that none is put on a head, which has none to give."""

AGAIN_SECONDS = 5.0
"""Between two tries to reach an upstream."""

STAY_SECONDS = 2.0
"""How long a replica that is to end still takes calls: who sends may not have heard of it yet."""
LAST_SECONDS = 0.1
"""The same where the whole service ends: nobody sends any more."""

ReadPool = Callable[[], PoolSettings]
"""Reads in a replica's own process what its pool is made of: what Serve keeps of it is a name, never a key."""


class WorkerPool:
    """One replica. Serve starts it, asks after its health and replaces it; `ServePool` is its caller. It is not ready
    before its engine can decode.

    The parameter `replica` of the methods is for the request router: it says to which replica the call goes.
    """

    def __init__(self, read: ReadPool, *, sharing: bool) -> None:
        """`sharing`: all replicas of the pool are on one machine."""
        settings = read()
        # Before an engine reads it. Ray's own value is wrong: an actor that asks for no CPU is given a single thread.
        os.environ["OMP_NUM_THREADS"] = str(threads_of(usable_cores(), settings.replicas if sharing else 1))
        self._replica = Replica(
            build_engine(settings.engine) if sharing else await_upstream(settings.engine),
            name=serve.get_replica_context().replica_id.unique_id,
            max_decodes=settings.max_decodes,
            text_interval=settings.text_interval,
            stall_seconds=settings.stall_seconds,
        )

    async def decode(
        self,
        requests: Sequence[DecodeRequest],
        *,
        replica: str,  # noqa: ARG002
        caller: str = "",
    ) -> AsyncGenerator[Batch, None]:
        """See `Replica.decode`: one call carries many decodes, one stream all their messages."""
        async with aclosing(self._replica.decode(requests, caller)) as batches:
            async for batch in batches:
                yield batch

    async def abort(self, keys: Sequence[Key], *, replica: str) -> None:  # noqa: ARG002
        self._replica.abort(keys)

    async def describe(self, *, replica: str) -> ReplicaState:  # noqa: ARG002
        return self._replica.describe()

    async def check_health(self) -> None:
        """Asked by Serve every second; an error three times in a row and the replica is replaced."""
        await self._replica.check_health()

    def record_replica_metadata(self) -> dict[str, Any]:
        """What Serve tells every request router about this replica, once it is ready."""
        return {"max_decodes": self._replica.describe().max_decodes}

    async def __del__(self) -> None:
        """Serve awaits it when it stops the replica gracefully, after its last call has ended."""
        await self._replica.close()


def worker_pool(
    settings: PoolSettings, read: ReadPool, *, app: str, private: bool = True, placed: bool = False
) -> serve.Application:
    """The deployment of a pool in the application `app`, ready to be bound into it. It is placed by `settings`; each
    replica reads them again for itself. `private`: all of them are on one machine, which is theirs, and as many as they
    begin with: what one pool gave back, no other could take."""
    scaling = None if private else pool_scaling(settings)
    deployment = serve.deployment(
        WorkerPool,
        name=deployment_name(settings.name),
        num_replicas=settings.replicas if scaling is None else None,
        autoscaling_config=scaling,
        # A call carries many decodes; the limit that counts is `max_decodes`, beyond which they queue by priority.
        max_ongoing_requests=1000,
        health_check_period_s=1,
        health_check_timeout_s=5,
        graceful_shutdown_timeout_s=settings.grace_seconds,
        graceful_shutdown_wait_loop_s=LAST_SECONDS if private else STAY_SECONDS,
        ray_actor_options={
            # Placement is by GPU. On CPUs one replica takes what the machine has, and Ray's count of them means little.
            "num_cpus": 0 if private else CPU_SHARE,
            "num_gpus": settings.gpus_per_replica,
            "resources": {deployment_name(settings.name): 1} if placed else {},
        },
        request_router_config=RequestRouterConfig(
            request_router_class=AddressedRouter,
            request_router_kwargs={"pool": pool_name(app, settings.name)},
        ),
    )
    return deployment.bind(read, sharing=private)


def await_upstream(settings: EngineSettings, pause: float = AGAIN_SECONDS) -> Engine:
    """Builds the engine; an upstream that is away is waited for. Serve would give up a replica that fails three times,
    for good, even if the same config is put anew. Raises ModelUnavailable where the model was to be loaded here."""
    while True:
        try:
            return build_engine(settings)
        except ModelUnavailable as error:
            if not settings.remote:
                raise
            logger.warning("this replica waits for its upstream: %s", error)
        time.sleep(pause)


def deployment_name(pool: str) -> str:
    """How Serve calls the deployment of this pool, and Ray the place for one of its replicas."""
    return f"pool-{pool}"


def threads_of(cores: int, replicas: int) -> int:
    """Threads for one replica's arithmetic: an equal share of its machine's cores, one of which is left to everything
    else."""
    return max(1, (cores - 1) // replicas)


def pool_name(app: str, pool: str) -> str:
    """How a pool of an application is called among the pools of a process."""
    return f"{app}/{pool}"
