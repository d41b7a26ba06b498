"""Journals that were not run here, put into the real store with their own times, and hash-chained."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from anabranch.dag.analysis.metrics import measure
from anabranch.dag.events import TERMINAL_OF_JOB, JobSubmitted, Record
from anabranch.dag.ids import JobId
from anabranch.service.store.codec import decode, encode
from anabranch.service.store.journal.records import JournalHead, chain_events, insert_links
from anabranch.service.store.projections.apply import write
from anabranch.service.store.projections.changes import Change, merge_changes
from anabranch.service.store.projections.fold import fold
from anabranch.service.store.rows import NewJob
from anabranch.service.store.store import Store

Event = dict[str, Any]


async def plant(url: str, events: Sequence[Event]) -> JobId:
    """Put one journal, as `journals.py` makes it, into the store. It must have ended: no organizer could go on with a
    job that no policy has run. Returns the job's id."""
    assert events[-1]["kind"] in {kind.__name__ for kind in TERMINAL_OF_JOB}
    submitted = decode("JobSubmitted", "0", events[0]["payload"])
    assert isinstance(submitted, JobSubmitted)
    job = JobId(events[0]["job"])
    async with Store(url, now=lambda: _at(events[0])) as store:
        new = NewJob(
            spec=submitted.spec,
            policy_version=submitted.policy_version,
            trace_id=job.replace("-", ""),
            id=job,
        )
        row = (await store.jobs.submit(new)).job
        end = JournalHead(at=row.created_at, epoch=1, seq=row.head_seq, hash=row.head_hash)
        first = await store.journal.read(job)
        await store.database.write(lambda connection: _write(connection, job, end, first, events[1:]))
    return job


def _write(
    connection: Connection, job: JobId, end: JournalHead, first: Sequence[Record], events: Sequence[Event]
) -> None:
    """All of the journal behind its first event, in one transaction."""
    links, records = [], []
    for at, group in groupby(events, key=_at):
        encoded = [encode(decode(event["kind"], event["branch"], event["payload"])) for event in group]
        some_links, some_records = chain_events(job, 1, end, encoded, at)
        end = JournalHead(at=at, epoch=1, seq=some_links[-1].seq, hash=some_links[-1].hash)
        links += some_links
        records += some_records
    insert_links(connection, links)
    head = {"head_seq": end.seq, "head_hash": end.hash, "head_at": end.at, "epoch": 1, "wake": False}
    measured = {"metrics": asdict(measure([*first, *records]))}
    changes = merge_changes([Change("jobs", set=head), Change("jobs", set=measured), *fold(records)])
    write(connection, [(job, change) for change in changes])


def _at(event: Event) -> datetime:
    return datetime.fromisoformat(event["at"])
