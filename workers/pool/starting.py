"""Finds out what decodes wait for whose pool has no replica: a machine, a model that is being loaded, or nothing."""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial

from anabranch.workers.pool.serve import ServePool
from anabranch.workers.pool.status import describe_start
from anabranch.workers.settings import PoolSettings

LOOK_SECONDS = 2.0
logger = logging.getLogger(__name__)


async def watch_starts(
    app: str, pools: Mapping[str, ServePool], declared: Mapping[str, PoolSettings]
) -> None:
    """Tells each pool of this process what its decodes wait for, as long as some do. Runs until it is cancelled."""
    while True:
        for name, pool in pools.items():
            load = pool.load()
            if load.replicas or not load.waiting:
                pool.state = ""
                continue
            try:
                pool.state = await asyncio.to_thread(partial(describe_start, app, declared[name]))
            except Exception:  # whoever waits waits on; only what is told of it is missing
                logger.exception("why pool %s has no replica could not be asked", name)
        await asyncio.sleep(LOOK_SECONDS)
