"""Purges old jobs and packs old journals by itself, where the operator wants that."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from anabranch.service.store.errors import OlderAtWork, StoreAway
from anabranch.service.store.maintenance.maintenance import Maintenance

EVERY_SECONDS = 3600.0
log = logging.getLogger(__name__)


async def keep_purging(maintenance: Maintenance, days: float | None) -> None:
    """Purges, now and every hour, the jobs that ended more than so many days ago; with None it is done at once.

    Several processes may do so at the same time. While the store is away it waits for the next hour.
    """
    await _keep(maintenance.purge, days, "purged %d jobs that ended more than %g days ago")


async def keep_packing(maintenance: Maintenance, days: float | None) -> None:
    """Packs, now and every hour, the journals of jobs that ended more than so many days ago; otherwise as
    `keep_purging`. While programs of an older release work on the store, it waits too."""
    await _keep(maintenance.pack, days, "made %d packs of journals that ended more than %g days ago")


async def _keep(work: Callable[[datetime], Awaitable[int]], days: float | None, told: str) -> None:
    while days is not None:
        try:
            done = await work(datetime.now(UTC) - timedelta(days=days))
        except (StoreAway, OlderAtWork) as error:
            log.warning("old jobs stay as they are for another hour: %s", error)
        else:
            log.info(told, done, days)
        await asyncio.sleep(EVERY_SECONDS)
