"""Purges old jobs by itself, where the operator wants that."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from anabranch.service.store.errors import StoreAway
from anabranch.service.store.maintenance.maintenance import Maintenance

EVERY_SECONDS = 3600.0
log = logging.getLogger(__name__)


async def keep_purging(maintenance: Maintenance, days: float | None) -> None:
    """Purges, now and every hour, the jobs that ended more than so many days ago; with None it is done at once.

    Several processes may do so at the same time. While the store is away it waits for the next hour.
    """
    while days is not None:
        try:
            gone = await maintenance.purge(datetime.now(UTC) - timedelta(days=days))
        except StoreAway as error:
            log.warning("old jobs stay for another hour: %s", error)
        else:
            log.info("purged %d jobs older than %g days", gone, days)
        await asyncio.sleep(EVERY_SECONDS)
