"""Packs the journals of old jobs: their links go from the table `events` into `packs`, some hundred to a row.

A journal is packed up to its terminal event. Ratings come later, and stay rows: who rates, or asks for ratings, need
not look into packs.

Programs of a release that knows no packs would find journals without records. So nothing is packed while such programs
live, and with the first pack the database says that they cannot use it any more (`sql/revisions.py`).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby, islice, takewhile

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update

from anabranch.dag.events import JobRated
from anabranch.dag.ids import JobId
from anabranch.dag.journal.chain import Link
from anabranch.dag.journal.packing import pack
from anabranch.service.store.errors import OlderAtWork
from anabranch.service.store.journal.reading import LINKS_OF_PACK
from anabranch.service.store.journal.records import link_of_row
from anabranch.service.store.programs import list_alive
from anabranch.service.store.sql.tables import events, jobs, packs

READS_PACKS = "0022"
"""The oldest program that reads packs."""
LINKS_AT_ONCE = 4 * LINKS_OF_PACK
"""Links that one step reads at most."""
log = logging.getLogger(__name__)

_DELETE_PACKED = delete(events).where(events.c.job_id == bindparam("job"), events.c.seq <= bindparam("last"))


def pack_some(connection: Connection, count: int, before: datetime) -> int:
    """Packs a run of links of each of the `count` jobs that ended first, and before this moment; returns how many such
    jobs it found. Raises OlderAtWork."""
    oldest = (
        select(jobs.c.id)
        .where(jobs.c.finished_at < before, text("NOT packed"))  # as its index is written
        .order_by(jobs.c.finished_at)
        .limit(count)
        .with_for_update(skip_locked=True)
    )
    ids = [JobId(found) for found in connection.execute(oldest).scalars()]
    if ids:
        _leave_behind_older(connection)
        _pack_runs(connection, _read_runs(connection, ids))
    return len(ids)


def _leave_behind_older(connection: Connection) -> None:
    older = [program.in_words() for program in list_alive(connection) if program.revision < READS_PACKS]
    if older:
        raise OlderAtWork(older)
    said = text("UPDATE alembic_version SET version_num = :now WHERE version_num < :now")
    connection.execute(said, {"now": READS_PACKS})


def _read_runs(connection: Connection, ids: Sequence[JobId]) -> Mapping[JobId, Sequence[Link]]:
    """The links of these jobs that come next into packs. Jobs that are too much for one step are left out."""
    first = (
        select(events)
        .where(events.c.job_id.in_(ids))
        .order_by(events.c.job_id, events.c.seq)
        .limit(LINKS_AT_ONCE)
    )
    links = [link_of_row(row) for row in connection.execute(first).mappings()]
    found = {JobId(job): tuple(of_job) for job, of_job in groupby(links, key=lambda link: link.job)}
    if len(links) < LINKS_AT_ONCE:
        return {job: _run(found.get(job, ())) for job in ids}
    last = JobId(links[-1].job)  # it may have more than was read
    if len(found[last]) < LINKS_OF_PACK:
        del found[last]
    return {job: _run(of_job) for job, of_job in found.items()}


def _run(links: Iterable[Link]) -> Sequence[Link]:
    before_ratings = takewhile(lambda link: link.kind != JobRated.__name__, links)
    return tuple(islice(before_ratings, LINKS_OF_PACK))


def _pack_runs(connection: Connection, runs: Mapping[JobId, Sequence[Link]]) -> None:
    made = {job: pack(links) for job, links in runs.items() if links}
    rows = [
        {"job_id": job, "last_seq": packed.last_seq, "data": packed.data}
        for job, packed in made.items()
        if packed is not None
    ]
    if rows:
        connection.execute(insert(packs), rows)
        connection.execute(_DELETE_PACKED, [{"job": row["job_id"], "last": row["last_seq"]} for row in rows])
    for job, packed in made.items():
        if packed is None:
            log.warning("the journal of job %s is not whole, and is not packed: anabranch audit %s", job, job)
    over = [job for job, links in runs.items() if len(links) < LINKS_OF_PACK or made[job] is None]
    connection.execute(update(jobs).where(jobs.c.id.in_(over)).values(packed=True))
