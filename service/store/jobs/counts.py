"""How many jobs there are, by status, and which have ended."""

from datetime import datetime

from sqlalchemy import func, select, true

from anabranch.dag.ids import JobId
from anabranch.dag.status import JobStatus
from anabranch.service.store.jobs.requests import of_tenant
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import jobs


class Counts(Repository):
    async def counts(self, *, ended: bool = True, tenant: str | None = None) -> dict[JobStatus, int]:
        """Jobs of each status, zeros included. Without the ended ones it reads no more than what is under way.

        Raises StoreAway.
        """
        wanted = true() if ended else jobs.c.finished_at.is_(None)
        by_status = (
            select(jobs.c.status, func.count()).where(wanted, of_tenant(tenant)).group_by(jobs.c.status)
        )
        rows = await self._database.read(lambda connection: connection.execute(by_status).all())
        found = {row[0]: row[1] for row in rows}
        return {status: found.get(status, 0) for status in JobStatus}

    async def ended_since(self, since: datetime) -> list[JobId]:
        """Jobs that ended at that time or later, the earliest first. Raises StoreAway."""
        wanted = select(jobs.c.id).where(jobs.c.finished_at >= since).order_by(jobs.c.finished_at)
        return list(await self._database.read(lambda connection: connection.execute(wanted).scalars().all()))
