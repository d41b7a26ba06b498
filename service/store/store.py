"""The store: all that is durable, behind one object per process."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from anabranch.dag.events import Event, Record
from anabranch.dag.ids import JobId
from anabranch.service.store.jobs.counts import Counts
from anabranch.service.store.jobs.jobs import Queries
from anabranch.service.store.jobs.queue import Claims
from anabranch.service.store.jobs.requests import Requests
from anabranch.service.store.jobs.submissions import Submissions
from anabranch.service.store.journal.checkpoints import Checkpoints
from anabranch.service.store.journal.writer import Journal
from anabranch.service.store.maintenance.audits import Audits
from anabranch.service.store.maintenance.imports import Imports
from anabranch.service.store.maintenance.retention import Retention
from anabranch.service.store.spans import Spans
from anabranch.service.store.sql.database import Database
from anabranch.service.store.sql.repository import utc_now


class Store(Submissions, Claims, Requests, Queries, Counts, Checkpoints, Spans, Audits, Imports, Retention):
    """Jobs, their journals and what is folded from them, in one database. Its schema must be this program's
    (`schema.check`). Use it in an `async with`, or close it.
    """

    def __init__(self, url: str, now: Callable[[], datetime] = utc_now) -> None:
        """`url` is sqlite:///FILE or postgresql://…; connections are made when they are needed."""
        super().__init__(Database(url), now)
        self._journal = Journal(self._database, now)

    async def append(
        self, job: JobId, epoch: int, events: Sequence[Event], metrics: Mapping[str, Any] | None = None
    ) -> list[Record]:
        """Appends to the job's journal; see Journal.append."""
        return await self._journal.append(job, epoch, events, metrics)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Finishes the appends that wait, and disconnects."""
        await self._journal.close()
        await self._database.close()
