"""Counts the requests and streams of tenants in the store, so that several REST processes hold their limits together.

A stream lives by a lease that its process renews: those of a process that dies make room by themselves. For a tenant
without a limit the store is not asked.
"""

import asyncio
import logging
from itertools import count

from anabranch.service.store.errors import StoreAway
from anabranch.service.store.usage_counts import UsageCounts
from anabranch.service.tenants.callers import Caller
from anabranch.service.tenants.limits import Counted

LEASE_SECONDS = 30.0
KEEP_SECONDS = 10.0
log = logging.getLogger(__name__)


class SharedLimits:
    """The limits of all tenants, as all processes on one database count them."""

    def __init__(
        self, counts: UsageCounts, lease_seconds: float = LEASE_SECONDS, keep_seconds: float = KEEP_SECONDS
    ) -> None:
        self._counts = counts
        self._lease_seconds = lease_seconds
        self._keep_seconds = keep_seconds
        self._open: set[str] = set()
        self._closed: set[str] = set()
        """Those of which the store does not know it yet."""
        self._keeping: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._uncounted = (f"uncounted {number}" for number in count())

    async def count(self, caller: Caller) -> Counted | None:
        """Raises StoreAway."""
        if caller.requests_per_minute is None:
            return None
        window = await self._counts.count_request(caller.tenant, caller.requests_per_minute)
        return Counted(
            limit=caller.requests_per_minute,
            left=window.left,
            reset_seconds=window.reset_seconds,
            refused=not window.passed,
        )

    async def open_stream(self, caller: Caller) -> str | None:
        """Raises StoreAway."""
        if caller.streams is None:
            return next(self._uncounted)
        opened = await self._counts.open_stream(caller.tenant, caller.streams, self._lease_seconds)
        if opened is not None:
            self._open.add(opened)
            if self._keeping is None or self._keeping.done():
                self._keeping = asyncio.create_task(self._keep(), name="streams of tenants")
        return opened

    def close_stream(self, stream: str) -> None:
        if stream in self._open:
            self._open.remove(stream)
            self._closed.add(stream)
            self._wake.set()

    async def _keep(self) -> None:
        """Renews and ends leases, as long as there are any. While the store is away, it is asked again."""
        while self._open or self._closed:
            try:
                async with asyncio.timeout(self._keep_seconds):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            closed = set(self._closed)
            try:
                if closed:
                    await self._counts.close_streams(closed)
                    self._closed -= closed
                elif self._open:
                    await self._counts.keep_streams(set(self._open), self._lease_seconds)
            except StoreAway as error:
                log.warning("open streams are counted again when the store is back: %s", error)
