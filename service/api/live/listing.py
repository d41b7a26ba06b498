"""Tells everybody who looks at the list of jobs the same: summaries that changed, and how busy the service is.

Read through a short-lived cache, so that many open pages cost the store no more than one.
"""

import asyncio
import time

from anabranch.dag.ids import JobId
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.views.job import job_view
from anabranch.service.store.rows import JobRow

LIST_SECONDS = 0.3
NEWEST = 100
"""How many jobs, from the newest, are watched; an older one is watched on while it runs."""


class Listing:
    """The latest jobs of a tenant, or of all, with a version that grows with every change to one of them."""

    def __init__(self, deps: Dependencies, tenant: str | None) -> None:
        self._deps = deps
        self._tenant = tenant
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._version = 0
        self._known: dict[JobId, tuple[int, JobRow]] = {}

    async def since(self, version: int | None) -> tuple[int, list[str]]:
        """The version now, and as JSON each job that changed after the given one; after None, no job has."""
        async with self._reading:
            if time.monotonic() - self._read_at >= LIST_SECONDS:
                await self._read()
                self._read_at = time.monotonic()
        if version is None:
            return self._version, []
        changed = [row for changed_at, row in self._known.values() if changed_at > version]
        return self._version, [job_view(row).model_dump_json() for row in changed]

    async def _read(self) -> None:
        store = self._deps.store
        rows = {row.id: row for row in (await store.jobs.list_page(tenant=self._tenant, limit=NEWEST)).items}
        for job, (_, row) in self._known.items():
            if job not in rows and row.finished_at is None:
                rows[job] = await store.jobs.get(job)
        before, self._known = self._known, {}
        for job, row in rows.items():
            version, known = before.get(job, (0, None))
            if row != known:
                self._version += 1
                version = self._version
            self._known[job] = version, row
