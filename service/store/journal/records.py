"""Turns events into records, numbered, dated and chained to the journal's head, and these into rows; turns rows into
records again."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert

from anabranch.dag.events import Event, Record
from anabranch.dag.ids import JobId
from anabranch.dag.journal.chain import GENESIS, Link, seal
from anabranch.service.store.codec import Encoded, decode, decode_known
from anabranch.service.store.sql.prepared import Prepared
from anabranch.service.store.sql.tables import events as events_of_jobs

_INSERT = Prepared(insert(events_of_jobs), events_of_jobs.columns.keys())


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHead:
    """Where a journal stands."""

    at: datetime
    epoch: int = 0
    seq: int = 0
    hash: str = GENESIS
    over: bool = False
    """The terminal event is written."""
    somebody_listens: bool = False
    """There are webhooks: this job's, or any other's."""


def chain_events(
    job: JobId, epoch: int, head: JournalHead, events: Sequence[Encoded], at: datetime
) -> tuple[list[Link], list[Record]]:
    """The records that these events become, as the chain sees them and as readers do."""
    links, records = [], []
    prev_hash = head.hash
    for seq, encoded in enumerate(events, start=head.seq + 1):
        event = encoded.event
        open_link = Link(
            job=job,
            seq=seq,
            epoch=epoch,
            at=at,
            kind=encoded.kind,
            branch=event.branch,
            payload=encoded.payload,
            prev_hash=prev_hash,
        )
        link = seal(open_link)
        links.append(link)
        records.append(
            Record(job=job, seq=seq, epoch=epoch, at=at, event=event, prev_hash=prev_hash, hash=link.hash)
        )
        prev_hash = link.hash
    return links, records


def insert_links(connection: Connection, links: Iterable[Link]) -> None:
    """Writes these links as rows of the table `events`."""
    _INSERT.run(connection, [row_of_link(link) for link in links])


def row_of_link(link: Link) -> dict[str, Any]:
    """The row of the table `events`."""
    return {
        "job_id": link.job,
        "seq": link.seq,
        "epoch": link.epoch,
        "kind": link.kind,
        "branch": link.branch,
        "at": link.at,
        "payload": link.payload,
        "prev_hash": link.prev_hash,
        "hash": link.hash,
    }


def link_of_row(row: RowMapping) -> Link:
    """The link whose row of the table `events` this is."""
    return Link(
        job=row["job_id"],
        seq=row["seq"],
        epoch=row["epoch"],
        at=row["at"],
        kind=row["kind"],
        branch=row["branch"],
        payload=row["payload"],
        prev_hash=row["prev_hash"],
        hash=row["hash"],
    )


def record_of_row(row: RowMapping) -> Record:
    """The record whose row of the table `events` this is. Raises UnreadableFormat."""
    return record_of_link(link_of_row(row))


def record_of_link(link: Link) -> Record:
    """The same record as readers see it. Raises UnreadableFormat."""
    return _record(link, decode)


def known_record_of_link(link: Link) -> Record:
    """The same as far as this release knows it, for whoever passes it on."""
    return _record(link, decode_known)


def _record(link: Link, decode: Callable[[str, str, Mapping[str, Any]], Event]) -> Record:
    return Record(
        job=JobId(link.job),
        seq=link.seq,
        epoch=link.epoch,
        at=link.at,
        event=decode(link.kind, link.branch, json.loads(link.payload)),
        prev_hash=link.prev_hash,
        hash=link.hash,
    )
