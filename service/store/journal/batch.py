"""Makes one commit of the journal's writer: drafts of what is added to each job, and the transaction that writes
them.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, select, update

from anabranch.dag.events import TERMINAL_OF_JOB, Record
from anabranch.dag.ids import JobId
from anabranch.dag.journal.chain import Link
from anabranch.service.store.codec import Encoded
from anabranch.service.store.errors import Fenced, JobEnded, NotFound, StoreError
from anabranch.service.store.journal.records import JournalHead, chain_events, insert_links
from anabranch.service.store.projections.apply import write
from anabranch.service.store.projections.changes import Change, merge_changes
from anabranch.service.store.projections.fold import fold
from anabranch.service.store.sql.clock import later
from anabranch.service.store.sql.prepared import Prepared
from anabranch.service.store.sql.tables import checkpoints, events, jobs, told_texts
from anabranch.service.store.sql.webhook_tables import webhook_endpoints
from anabranch.service.store.webhooks.outbox import find_told, write_deliveries

LONG_SECONDS, KEPT_SECONDS = 1.0, 5.0
"""A commit of more than LONG_SECONDS, as that of a fork of thousands, keeps its jobs' leases for KEPT_SECONDS more."""

# Statements that every commit runs are built once: building them costs as much as running them.
_FORGET = tuple(
    Prepared(delete(table).where(table.c.job_id == bindparam("ended"))) for table in (checkpoints, told_texts)
)
_HEADS = (
    select(
        jobs.c.id,
        jobs.c.epoch,
        jobs.c.head_seq,
        jobs.c.head_hash,
        jobs.c.head_at,
        jobs.c.finished_at,
        exists(select(webhook_endpoints.c.id)).label("somebody_listens"),
    )
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(jobs.c.id)
    .with_for_update(key_share=True)
)


@dataclass(slots=True)
class Append:
    """What one caller waits for."""

    events: Sequence[Encoded]
    metrics: Mapping[str, Any] | None
    done: asyncio.Future[list[Record]]


@dataclass(slots=True, eq=False)
class Draft:
    """What a batch adds to one job's journal under one epoch."""

    job: JobId
    epoch: int
    appends: list[Append] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    """Not empty once a try was made to write them."""
    records: list[Record] = field(default_factory=list)

    def follow(self, head: JournalHead, at: datetime) -> None:
        """Chains the events to the end of the journal."""
        ready = [encoded for append in self.appends for encoded in append.events]
        self.links, self.records = chain_events(self.job, self.epoch, head, ready, max(at, head.at))

    def changes(self) -> list[Change]:
        """What becomes of the job's rows."""
        last = self.links[-1]
        ended = Change("jobs", set={"head_seq": last.seq, "head_hash": last.hash, "head_at": last.at})
        measured = [Change("jobs", set={"metrics": a.metrics}) for a in self.appends if a.metrics is not None]
        released = [Change("jobs", set={"lease_owner": None, "lease_expires": None})] if self.ends_job else []
        return merge_changes([ended, *measured, *released, *fold(self.records)])

    @property
    def ends_job(self) -> bool:
        return any(isinstance(record.event, TERMINAL_OF_JOB) for record in self.records)

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


def append_drafts(drafts: Sequence[Draft], at: datetime, connection: Connection) -> dict[Draft, StoreError]:
    """Writes what may be written, and tells why the rest may not."""
    heads = read_heads(connection, {draft.job for draft in drafts})
    written = _find_written(connection, drafts)
    refused: dict[Draft, StoreError] = {}
    fresh, began = [], time.monotonic()
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
        insert_links(connection, [link for draft in fresh for link in draft.links])
        write(connection, [(draft.job, change) for draft in fresh for change in draft.changes()])
        if any(head.somebody_listens for head in heads.values()):
            write_deliveries(connection, find_told(record for draft in fresh for record in draft.records))
        _forget_texts(connection, [draft.job for draft in fresh if draft.ends_job])
        if time.monotonic() - began > LONG_SECONDS:
            _keep_leases(connection, [draft.job for draft in fresh])
    return refused


def _keep_leases(connection: Connection, ids: Sequence[JobId]) -> None:
    """Heartbeats did not wait for this transaction: leases that end meanwhile last until the next ones."""
    until = later(KEPT_SECONDS)
    ending = jobs.c.id.in_(ids) & (jobs.c.lease_expires < until)
    connection.execute(update(jobs).where(ending).values(lease_expires=until))


def _forget_texts(connection: Connection, ended: Sequence[JobId]) -> None:
    """Deletes what was stored of unfinished text: the journals of jobs that have ended hold the whole."""
    if ended:
        for forget in _FORGET:
            forget.run(connection, [{"ended": job} for job in ended])


def _refusal(draft: Draft, head: JournalHead | None) -> StoreError:
    if head is None:
        return NotFound("job", draft.job)
    return JobEnded(draft.job) if head.over else Fenced(draft.job, draft.epoch, head.epoch)


def read_heads(connection: Connection, ids: set[JobId]) -> dict[JobId, JournalHead]:
    """Where these journals stand. The rows stay locked: nobody claims or appends until this transaction ends."""
    return {
        row.id: JournalHead(
            epoch=row.epoch,
            seq=row.head_seq,
            hash=row.head_hash,
            at=row.head_at,
            over=row.finished_at is not None,
            somebody_listens=row.somebody_listens,
        )
        for row in connection.execute(_HEADS, {"ids": list(ids)})
    }


def _find_written(connection: Connection, drafts: Sequence[Draft]) -> set[Draft]:
    """Those that an earlier try has written after all: its connection was lost while it committed."""
    tried = {draft.links[-1].hash: draft for draft in drafts if draft.links}
    if not tried:
        return set()
    same = events.c.job_id.in_({draft.job for draft in tried.values()}) & events.c.hash.in_(tried)
    return {tried[row.hash] for row in connection.execute(select(events.c.hash).where(same))}
