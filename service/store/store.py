"""Opens the store: all that is durable, behind one object per process, in parts that a consumer takes one by one."""

from collections.abc import Callable
from datetime import datetime
from typing import Self

from sqlalchemy import select

from anabranch.service.store.batches.batches import Batches
from anabranch.service.store.batches.files import Files
from anabranch.service.store.evaluations.evaluations import Evaluations
from anabranch.service.store.evaluations.feedback import Feedback
from anabranch.service.store.jobs.jobs import Jobs
from anabranch.service.store.jobs.organizers import Organizers
from anabranch.service.store.jobs.queue import Queue
from anabranch.service.store.jobs.responses import Responses
from anabranch.service.store.jobs.suspicions import Suspicions
from anabranch.service.store.journal.checkpoints import Checkpoints
from anabranch.service.store.journal.told_texts import ToldTexts
from anabranch.service.store.journal.writer import Journal
from anabranch.service.store.keys import Keys
from anabranch.service.store.maintenance.maintenance import Maintenance
from anabranch.service.store.programs import Programs
from anabranch.service.store.spans import Spans
from anabranch.service.store.sql.database import CONNECTIONS, Database
from anabranch.service.store.sql.repository import utc_now
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.usage_counts import UsageCounts
from anabranch.service.store.webhooks.webhooks import Webhooks


class Store:
    """Jobs, their journals and what is folded from them, in one database. This program must be able to
    use its schema (`schema.check`). Use it in an `async with`, or close it.
    """

    def __init__(
        self,
        url: str,
        now: Callable[[], datetime] = utc_now,
        *,
        connections: int = CONNECTIONS,
        beside: Database | None = None,
    ) -> None:
        """`url` is sqlite:///FILE or postgresql://…; connections are made when they are needed, and to PostgreSQL at
        most so many. `beside`: see Database."""
        self.database = Database(url, connections, beside)
        self.jobs = Jobs(self.database, now)
        self.evaluations = Evaluations(self.database, now)
        self.feedback = Feedback(self.database, now)
        self.responses = Responses(self.database, now)
        self.files = Files(self.database, now)
        self.batches = Batches(self.database, now)
        self.queue = Queue(self.database, now)
        self.suspicions = Suspicions(self.database, now)
        self.journal = Journal(self.database, now)
        self.organizers = Organizers(self.database, now)
        self.programs = Programs(self.database, now)
        self.usage_counts = UsageCounts(self.database, now)
        self.keys = Keys(self.database, now)
        self.checkpoints = Checkpoints(self.database, now)
        self.told_texts = ToldTexts(self.database, now)
        self.webhooks = Webhooks(self.database, now)
        self.spans = Spans(self.database, now)
        self.maintenance = Maintenance(self.database, now)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ping(self) -> None:
        """Raises StoreAway if the database does not answer."""
        nobody = select(jobs.c.id).where(jobs.c.id == "")
        await self.database.read(lambda connection: connection.execute(nobody).all())

    async def close(self) -> None:
        """Finishes the appends that wait, and disconnects."""
        await self.journal.close()
        await self.database.close()
