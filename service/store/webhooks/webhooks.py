"""Stores webhooks: all that REST and the deliverer ask of the store. All methods raise StoreAway."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from anabranch.dag.ids import JobId
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.webhooks import deliveries, endpoints
from anabranch.service.store.webhooks.deliveries import Attempt, DeliveryRow, Taken
from anabranch.service.store.webhooks.endpoints import EndpointRow
from anabranch.service.store.webhooks.rows import NewWebhook


class Webhooks(Repository):
    """The webhooks of one database."""

    async def add(self, tenant: str, new: NewWebhook) -> EndpointRow:
        """An endpoint that hears of all jobs of this tenant, from now on."""

        def work(connection: Connection) -> EndpointRow:
            made = endpoints.insert_endpoint(connection, tenant, new)
            return endpoints.read_endpoint(connection, made, tenant)

        return await self._database.write(work)

    async def list(self, tenant: str | None) -> Sequence[EndpointRow]:
        """A tenant's endpoints, not those of single jobs; None: of all tenants."""
        return await self._database.read(partial(endpoints.list_endpoints, tenant=tenant))

    async def get(self, endpoint: str, tenant: str | None) -> EndpointRow:
        """One endpoint. Raises NotFound."""
        return await self._database.read(partial(endpoints.read_endpoint, endpoint=endpoint, tenant=tenant))

    async def remove(self, endpoint: str, tenant: str | None) -> None:
        """Deletes an endpoint with all that was, or was to be, sent there. Raises NotFound."""
        await self._database.write(partial(endpoints.delete_endpoint, endpoint=endpoint, tenant=tenant))

    async def enable(self, endpoint: str, tenant: str | None) -> EndpointRow:
        """Lets a disabled endpoint hear of what happens from now on. Raises NotFound."""
        return await self._database.write(
            partial(endpoints.enable_endpoint, endpoint=endpoint, tenant=tenant)
        )

    async def replace_secret(
        self, endpoint: str, tenant: str | None, secret: str, overlap_seconds: float
    ) -> EndpointRow:
        """Signs with this secret from now on, and for so long with the one before, too. Raises NotFound."""
        return await self._database.write(
            partial(
                endpoints.replace_secret,
                endpoint=endpoint,
                tenant=tenant,
                secret=secret,
                overlap_seconds=overlap_seconds,
            )
        )

    async def read_target(self, endpoint: str, tenant: str | None) -> tuple[str, Sequence[str]]:
        """Where this endpoint's calls go, and what they are signed with. Raises NotFound."""

        def work(connection: Connection) -> tuple[str, Sequence[str]]:
            endpoints.read_endpoint(connection, endpoint, tenant)
            return deliveries.read_target(connection, endpoint)

        return await self._database.read(work)

    async def list_deliveries(
        self, tenant: str | None, *, endpoint: str | None = None, job: JobId | None = None, limit: int = 100
    ) -> Sequence[DeliveryRow]:
        """What was and is to be sent, the newest first."""
        work = partial(deliveries.list_deliveries, endpoint=endpoint, job=job, tenant=tenant, limit=limit)
        return await self._database.snapshot(work)

    async def take(self, most: int, lease_seconds: float, busy: Collection[str]) -> Sequence[Taken]:
        """Takes up to so many deliveries that are due, for so many seconds; none for the endpoints in `busy`."""
        taken: list[Taken] = []
        for about in await self._database.read(deliveries.find_due):
            if room := most - len(taken):
                work = partial(
                    deliveries.take, about=about, most=room, lease_seconds=lease_seconds, busy=busy
                )
                taken += await self._database.write(work)
        return taken

    async def record(
        self, taken: Taken, attempt: Attempt, retry_seconds: float | None, dead_after: timedelta
    ) -> None:
        """Writes what came of an attempt. See `deliveries.record`."""
        work = partial(
            deliveries.record,
            taken=taken,
            attempt=attempt,
            retry_seconds=retry_seconds,
            dead_after=dead_after,
        )
        await self._database.write(work)
