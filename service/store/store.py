"""The store: all that is durable, behind one object per process."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from anabranch.dag.events import Event, Record
from anabranch.dag.ids import JobId
from anabranch.service.store.audits import Audits
from anabranch.service.store.checkpoints import Checkpoints
from anabranch.service.store.claims import Claims
from anabranch.service.store.counts import Counts
from anabranch.service.store.database import Database
from anabranch.service.store.imports import Imports
from anabranch.service.store.inbox import Inbox
from anabranch.service.store.journal import Journal
from anabranch.service.store.part import utc_now
from anabranch.service.store.queries import Queries
from anabranch.service.store.retention import Retention
from anabranch.service.store.spans import Spans
from anabranch.service.store.submissions import Submissions


class Store(Submissions, Claims, Inbox, Queries, Counts, Checkpoints, Spans, Audits, Imports, Retention):
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
