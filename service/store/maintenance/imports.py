"""Imports journals from exports: all of a file is verified before any of it is written."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, insert, select

from anabranch.dag.analysis.metrics import measure
from anabranch.dag.events import AT_THE_END, JobClaimed, Record
from anabranch.dag.ids import JobId
from anabranch.dag.journal.chain import Link, verify
from anabranch.service.bounded_json import MAX_DEPTH, BadJson, read_json
from anabranch.service.store.errors import BadJournal, JobExists
from anabranch.service.store.jobs.submissions import turn_of
from anabranch.service.store.journal.records import insert_links, record_of_link
from anabranch.service.store.projections.apply import row_of, write
from anabranch.service.store.projections.fold import fold
from anabranch.service.store.rows import JobRow, job_row
from anabranch.service.store.sql.storable import json_text
from anabranch.service.store.sql.tables import jobs, purged

ENVELOPE = 8
"""Levels that a record adds to what a client sent."""
_LINK = TypeAdapter(Link)


@dataclass(frozen=True, slots=True)
class VerifiedJournal:
    """A whole journal of an ended job whose hashes agree, as the chain sees it and as readers do."""

    links: Sequence[Link]
    records: Sequence[Record]


def verify_lines(lines: Iterable[str]) -> VerifiedJournal:
    """Reads an export in JSON lines and checks all of it. Raises BadJournal and UnreadableFormat."""
    links = [_link(number, line) for number, line in enumerate(lines, start=1)]
    return VerifiedJournal(links, _verified(links))


def insert_journal(connection: Connection, journal: VerifiedJournal, tenant: str) -> JobRow:
    """Writes the job as this tenant's. Raises BadJournal and JobExists."""
    _refuse_known(connection, journal.links[-1])
    _insert(connection, journal.links, journal.records, tenant)
    made = connection.execute(select(jobs).where(jobs.c.id == journal.links[0].job))
    return job_row(made.mappings().one())


def _link(number: int, line: str) -> Link:
    try:
        told = read_json(line, depth=MAX_DEPTH + ENVELOPE, most_values=None)
        link = _LINK.validate_python({**told, "payload": json_text(told["payload"])})
        return replace(link, at=link.at.astimezone(UTC))
    except BadJson as error:
        raise BadJournal(f"line {number}: {error.where or 'it'}: {error}") from error
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BadJournal(f"line {number} is no record of an export in JSON lines") from error


def _verified(links: Sequence[Link]) -> list[Record]:
    if not links:
        raise BadJournal("it is empty")
    if len({link.job for link in links}) > 1:
        raise BadJournal("it holds records of several jobs")
    broken = verify(links)
    if broken is not None:
        raise BadJournal(f"record {broken.seq} is {broken.reason}")
    records = [record_of_link(link) for link in links]
    if not isinstance(records[-1].event, AT_THE_END):
        raise BadJournal("the job had not ended when it was exported, or the end was cut off")
    return records


def _refuse_known(connection: Connection, last: Link) -> None:
    if connection.execute(select(jobs.c.id).where(jobs.c.id == last.job)).one_or_none() is not None:
        raise JobExists(last.job)
    gone = delete(purged).where(purged.c.job_id == last.job).returning(purged.c.last_seq, purged.c.head_hash)
    head = connection.execute(gone).one_or_none()
    if head is not None and tuple(head) != (last.seq, last.hash):
        raise BadJournal(f"job {last.job} was purged here, and its journal ended in another way")


def _insert(connection: Connection, links: Sequence[Link], records: Sequence[Record], tenant: str) -> None:
    first, last = links[0], links[-1]
    job = JobId(first.job)
    changes = [change for change in fold(records) if change.insert]
    (its_row,) = (row_of(job, change) for change in changes if change.table == "jobs")
    claims = [record.event.attempt for record in records if isinstance(record.event, JobClaimed)]
    connection.execute(
        insert(jobs),
        {
            **its_row,
            "tenant": tenant,
            "trace_id": job.replace("-", "").rjust(32, "0")[-32:],
            "created_at": first.at,
            "turn": turn_of(its_row["priority"], first.at),
            "head_seq": last.seq,
            "head_hash": last.hash,
            "head_at": last.at,
            "epoch": last.epoch,
            "attempt": max(claims, default=1),
            "wake": False,
            "metrics": asdict(measure(records)),
        },
    )
    insert_links(connection, links)
    write(connection, [(job, change) for change in changes if change.table != "jobs"])
