"""Writes and reads journals.

**The journal's writer.** Each process has one writer. While one commit is under way, it gathers what jobs append; the
next commit takes all of that, of any job, in one transaction. So a fork of many branches is one commit, and nobody
waits for more than the commit under way and the next. What one `append` was given is written whole or not at all.

In the transaction, `batch.py` checks each job's epoch (see `jobs/queue.py`), numbers the records without gaps, chains
their hashes, and changes the tables that fold them (`projections/`). `append` returns when the commit is durable: only
then may anybody act on its events. When the database is away, the writer tries again for PATIENCE_SECONDS.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Integer, String, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import JSON

from anabranch.dag.events import Event, Record
from anabranch.dag.ids import JobId
from anabranch.dag.journal.chain import Link
from anabranch.service.store.codec import encode
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.journal.batch import Append, Draft, append_drafts
from anabranch.service.store.journal.reading import read_links
from anabranch.service.store.journal.records import known_record_of_link, link_of_row, record_of_link
from anabranch.service.store.sql.database import Database
from anabranch.service.store.sql.repository import Repository, utc_now
from anabranch.service.store.sql.storable import json_text
from anabranch.service.store.sql.tables import events as events_of_jobs

PATIENCE_SECONDS = 60.0
"""How long appends wait for a database that is away; accepted jobs lose nothing by a short outage."""

PAGE = 500
"""Records of a journal that are read at once."""

MANY = 2000
"""Records that one look at many journals returns at most; the next look goes on."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0


class Journal(Repository):
    """Appends events to the journals of jobs and reads them.

    A commit holds all that was ready when it began, of any job.
    """

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__(database, now)
        self._waiting: dict[tuple[JobId, int], Draft] = {}
        self._writer: asyncio.Task[None] | None = None

    async def append(
        self, job: JobId, epoch: int, events: Sequence[Event], metrics: Mapping[str, Any] | None = None
    ) -> list[Record]:
        """Appends these events, together and in this order; returns once they are durable.

        `metrics`, where given, becomes the job's. The events of the records are as they will be read back. Raises
        Fenced if another claim has replaced this epoch, JobEnded after the job's terminal event, NotFound, and
        StoreAway if the database stays away for PATIENCE_SECONDS; nothing is written then. Who is cancelled while
        waiting cannot know whether it was written.
        """
        if not events:
            return []
        append = Append(
            [encode(event) for event in events], metrics, asyncio.get_running_loop().create_future()
        )
        self._waiting.setdefault((job, epoch), Draft(job, epoch)).appends.append(append)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="journal")
        return await append.done

    async def read_page(self, job: JobId, after_seq: int = 0, limit: int = PAGE) -> list[Record]:
        """Reads a page of a journal, of each record what this release knows. Raises StoreAway."""
        links = await self._links(job, after_seq, limit)
        return [known_record_of_link(link) for link in links]

    async def pages(self, job: JobId, after_seq: int = 0) -> AsyncIterator[list[Record]]:
        """Reads all of a journal behind this seq, page by page: for who folds it, and keeps no page. Pages are decoded
        in a thread. Raises StoreAway, and UnreadableFormat where a newer release wrote what this one does not know.
        """
        while links := await self._links(job, after_seq, PAGE):
            yield await asyncio.to_thread(lambda page: [record_of_link(link) for link in page], links)
            if len(links) < PAGE:
                return
            after_seq = links[-1].seq

    async def read(self, job: JobId) -> list[Record]:
        """Reads a whole journal. Raises StoreAway, and UnreadableFormat where a newer release has written what this one
        does not know."""
        return [record_of_link(link) for link in await self._links(job)]

    async def read_many(self, after: Mapping[JobId, int]) -> list[Record]:
        """Reads what is new in these journals behind the given seq, by job and seq, at most MANY records: one query.
        Of each record what this release knows. Of jobs that go on, or ended just now: packs are not looked at. Raises
        StoreAway.
        """
        given = bindparam("after", json_text(dict(after)), type_=String())
        # Both databases unfold a JSON object into rows of `key` and `value`, and plan a lookup for each.
        unfold = func.json_each(given) if self._database.sqlite else func.json_each_text(cast(given, JSON))
        wanted = unfold.table_valued("key", "value", name="wanted")
        new = (
            select(events_of_jobs)
            .join(
                wanted,
                (events_of_jobs.c.job_id == wanted.c.key)
                & (events_of_jobs.c.seq > cast(wanted.c.value, Integer)),
            )
            .order_by(events_of_jobs.c.job_id, events_of_jobs.c.seq)
            .limit(MANY)
        )
        rows = await self._database.read(lambda connection: connection.execute(new).mappings().all())
        return [known_record_of_link(link_of_row(row)) for row in rows]

    async def close(self) -> None:
        """Returns when all that was given to `append` is written or refused."""
        if self._writer is not None:
            await self._writer

    async def _links(self, job: JobId, after_seq: int = 0, limit: int | None = None) -> Sequence[Link]:
        return await self._database.read(partial(read_links, job=job, after_seq=after_seq, limit=limit))

    async def _write(self) -> None:
        while self._waiting:
            drafts = list(self._waiting.values())
            self._waiting = {}
            await self._commit(drafts)

    async def _commit(self, drafts: Sequence[Draft]) -> None:
        try:
            await self._commit_patiently(drafts)
        except Exception as error:  # noqa: BLE001 - it is raised where each append waits
            if len(drafts) == 1 or isinstance(error, StoreAway):
                for draft in drafts:
                    draft.fail(error)
                return
            for draft in drafts:  # one of them is at fault; the others must not suffer for it
                await self._commit([draft])

    async def _commit_patiently(self, drafts: Sequence[Draft]) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._commit_once(drafts)
            except StoreAway:
                if time.monotonic() > give_up:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _commit_once(self, drafts: Sequence[Draft]) -> None:
        refused = await self._database.write(partial(append_drafts, drafts, self._now()))
        for draft in drafts:
            if draft in refused:
                draft.fail(refused[draft])
            else:
                draft.succeed()
