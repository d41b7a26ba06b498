"""The journal's writer: one per process, it gathers what is ready from all jobs and commits it at once."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from anabranch.dag.events import Event, Record
from anabranch.dag.ids import JobId
from anabranch.dag.journal.chain import Link
from anabranch.service.store.codec import Encoded, encode
from anabranch.service.store.errors import Fenced, JobEnded, NotFound, StoreAway, StoreError
from anabranch.service.store.journal.records import JournalHead, chain_events, row_of_link
from anabranch.service.store.projections.apply import write
from anabranch.service.store.projections.changes import Change, merge_changes
from anabranch.service.store.projections.fold import fold
from anabranch.service.store.sql.database import Database
from anabranch.service.store.sql.tables import events as events_table
from anabranch.service.store.sql.tables import jobs

PATIENCE_SECONDS = 60.0
"""How long appends wait for a database that is away; accepted jobs lose nothing by a short outage."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0


# Statements that every commit runs are built once: building them costs as much as running them.
_INSERT = insert(events_table)
_HEADS = (
    select(jobs.c.id, jobs.c.epoch, jobs.c.head_seq, jobs.c.head_hash, jobs.c.head_at, jobs.c.finished_at)
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(jobs.c.id)
    .with_for_update(key_share=True)
)


@dataclass(slots=True)
class _Append:
    """What one caller waits for."""

    events: Sequence[Encoded]
    metrics: Mapping[str, Any] | None
    done: asyncio.Future[list[Record]]


@dataclass(slots=True, eq=False)
class _Draft:
    """What a batch adds to one job's journal under one epoch."""

    job: JobId
    epoch: int
    appends: list[_Append] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    """Not empty once a try was made to write them."""
    records: list[Record] = field(default_factory=list)

    def follow(self, head: JournalHead, at: datetime) -> None:
        """Chains the events to the end of the journal."""
        events = [encoded for append in self.appends for encoded in append.events]
        self.links, self.records = chain_events(self.job, self.epoch, head, events, max(at, head.at))

    def changes(self) -> list[Change]:
        """What becomes of the job's rows."""
        last = self.links[-1]
        ended = Change("jobs", set={"head_seq": last.seq, "head_hash": last.hash, "head_at": last.at})
        measured = [Change("jobs", set={"metrics": a.metrics}) for a in self.appends if a.metrics is not None]
        return merge_changes([ended, *measured, *fold(self.records)])

    def succeed(self) -> None:
        start = 0
        for append in self.appends:
            end = start + len(append.events)
            if not append.done.done():  # who waited may have been cancelled
                append.done.set_result(self.records[start:end])
            start = end

    def fail(self, error: Exception) -> None:
        for append in self.appends:
            if not append.done.done():
                append.done.set_exception(error)


class Journal:
    """Appends events to the journals of jobs. A commit holds all that was ready when it began, of any job."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._waiting: dict[tuple[JobId, int], _Draft] = {}
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
        append = _Append(
            [encode(event) for event in events], metrics, asyncio.get_running_loop().create_future()
        )
        self._waiting.setdefault((job, epoch), _Draft(job, epoch)).appends.append(append)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="journal")
        return await append.done

    async def close(self) -> None:
        """Returns when all that was given to `append` is written or refused."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._waiting:
            drafts = list(self._waiting.values())
            self._waiting = {}
            await self._commit(drafts)

    async def _commit(self, drafts: Sequence[_Draft]) -> None:
        try:
            await self._commit_patiently(drafts)
        except Exception as error:  # noqa: BLE001 - it is raised where each append waits
            if len(drafts) == 1 or isinstance(error, StoreAway):
                for draft in drafts:
                    draft.fail(error)
                return
            for draft in drafts:  # one of them is at fault; the others must not suffer for it
                await self._commit([draft])

    async def _commit_patiently(self, drafts: Sequence[_Draft]) -> None:
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

    async def _commit_once(self, drafts: Sequence[_Draft]) -> None:
        refused = await self._database.write(partial(_append, drafts, self._now()))
        for draft in drafts:
            if draft in refused:
                draft.fail(refused[draft])
            else:
                draft.succeed()


def _append(drafts: Sequence[_Draft], at: datetime, connection: Connection) -> dict[_Draft, StoreError]:
    """Writes what may be written, and tells why the rest may not."""
    heads = _read_heads(connection, {draft.job for draft in drafts})
    written = _find_written(connection, drafts)
    refused: dict[_Draft, StoreError] = {}
    fresh = []
    for draft in drafts:
        head = heads.get(draft.job)
        if draft in written:
            continue
        if head is None or head.epoch != draft.epoch or head.over:
            refused[draft] = _refusal(draft, head)
        else:
            draft.follow(head, at)
            fresh.append(draft)
    if fresh:
        rows = [row_of_link(link) for draft in fresh for link in draft.links]
        connection.execute(_INSERT, rows)
        write(connection, [(draft.job, change) for draft in fresh for change in draft.changes()])
    return refused


def _refusal(draft: _Draft, head: JournalHead | None) -> StoreError:
    if head is None:
        return NotFound("job", draft.job)
    return JobEnded(draft.job) if head.over else Fenced(draft.job, draft.epoch, head.epoch)


def _read_heads(connection: Connection, ids: set[JobId]) -> dict[JobId, JournalHead]:
    """Where these journals stand. The rows stay locked: nobody claims or appends until this transaction ends."""
    return {
        row.id: JournalHead(
            epoch=row.epoch,
            seq=row.head_seq,
            hash=row.head_hash,
            at=row.head_at,
            over=row.finished_at is not None,
        )
        for row in connection.execute(_HEADS, {"ids": list(ids)})
    }


def _find_written(connection: Connection, drafts: Sequence[_Draft]) -> set[_Draft]:
    """Those that an earlier try has written after all: its connection was lost while it committed."""
    tried = {draft.links[-1].hash: draft for draft in drafts if draft.links}
    if not tried:
        return set()
    same = events_table.c.job_id.in_({draft.job for draft in tried.values()}) & events_table.c.hash.in_(tried)
    return {tried[row.hash] for row in connection.execute(select(events_table.c.hash).where(same))}
