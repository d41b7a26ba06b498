"""Counts what tenants with limits do, for all REST processes together: requests of the last minute, and open streams.

Those of one tenant are counted one after the other; nobody waits for another tenant. All methods raise StoreAway.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from anabranch.service.store.identity import new_id
from anabranch.service.store.sql.advisory_lock import advisory_lock
from anabranch.service.store.sql.clock import later, now
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import tenant_requests, tenant_streams

WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Window:
    """How many requests a tenant made in the last minute."""

    passed: bool
    """This one was counted."""
    left: int
    reset_seconds: int
    """Until one counts no more; at least 1."""


class UsageCounts(Repository):
    """The counts of one database."""

    async def count_request(self, tenant: str, most: int) -> Window:
        """Counts a request, unless the tenant has made so many within the last minute."""

        def work(connection: Connection) -> Window:
            advisory_lock(connection, f"requests of {tenant}")
            mine = tenant_requests.c.tenant == tenant
            connection.execute(
                delete(tenant_requests).where(mine, tenant_requests.c.at <= later(-WINDOW_SECONDS))
            )
            counted = select(func.count(), func.min(tenant_requests.c.at), now()).where(mine)
            count, oldest, at = connection.execute(counted).one()
            passed = count < most
            if passed:
                connection.execute(insert(tenant_requests).values(id=new_id(), tenant=tenant, at=now()))
            window = timedelta(seconds=WINDOW_SECONDS)
            left = window if oldest is None else oldest + window - at
            return Window(passed, most - count - 1 if passed else 0, max(1, math.ceil(left.total_seconds())))

        return await self._database.write(work)

    async def open_stream(self, tenant: str, most: int, lease_seconds: float) -> str | None:
        """Counts a stream for so many seconds, and gives its name; None where so many are open."""

        def work(connection: Connection) -> str | None:
            advisory_lock(connection, f"streams of {tenant}")
            mine = tenant_streams.c.tenant == tenant
            connection.execute(delete(tenant_streams).where(mine, tenant_streams.c.expires <= now()))
            if connection.execute(select(func.count()).where(mine)).scalar_one() >= most:
                return None
            stream = new_id()
            row = {"id": stream, "tenant": tenant, "expires": later(lease_seconds)}
            connection.execute(insert(tenant_streams).values(row))
            return stream

        return await self._database.write(work)

    async def keep_streams(self, streams: Collection[str], lease_seconds: float) -> None:
        """Counts these streams for so many seconds more."""
        these = update(tenant_streams).where(tenant_streams.c.id.in_(streams))
        await self._database.write(
            lambda connection: connection.execute(these.values(expires=later(lease_seconds)))
        )

    async def close_streams(self, streams: Collection[str]) -> None:
        """Counts these streams no more."""
        these = delete(tenant_streams).where(tenant_streams.c.id.in_(streams))
        await self._database.write(lambda connection: connection.execute(these))
