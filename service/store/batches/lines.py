"""Takes the lines of a batch from their beginning to their results: what one transaction does of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, case, func, insert, null, select, true, update

from anabranch.dag.ids import JobId
from anabranch.service.store.batches.tables import batch_jobs, batch_lines, batches, file_lines, files
from anabranch.service.store.errors import NotFound, QuotaSpent
from anabranch.service.store.jobs.submissions import submit_all
from anabranch.service.store.rows import JobRow, NewJob, job_row
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.webhooks.notices import write_notices

REASONS = {
    "cancelled": "its batch was cancelled",
    "expired": "the completion window of its batch is over",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """A line that is to begin: with jobs, or at once with a result, which tells why it has none."""

    number: int
    custom_id: str
    jobs: Sequence[NewJob] = ()
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    lines: int
    """How many, of those that were given."""
    jobs: Sequence[JobId] = ()
    refused: QuotaSpent | None = None
    """Why the line behind them did not begin."""


@dataclass(frozen=True, slots=True)
class EndedLine:
    """A line whose jobs have ended. None are left where they were purged."""

    number: int
    custom_id: str
    jobs: tuple[JobId, ...]


@dataclass(frozen=True, slots=True)
class Result:
    number: int
    succeeded: bool
    text: str
    """One line of JSON, all of it ASCII."""


def keep_file(connection: Connection, file: str) -> None:
    """Makes sure that a file is there until the end of this transaction. Raises NotFound."""
    there = select(files.c.id).where(files.c.id == file, files.c.whole).with_for_update(read=True)
    if connection.execute(there).one_or_none() is None:
        raise NotFound("file", file)


def begin(
    connection: Connection, batch: str, after: int, new: Sequence[NewLine], now: Callable[[], datetime]
) -> Begun:
    row = _lock(connection, batch)
    with_jobs = any(line.jobs for line in new)
    if row is None or row["begun"] != after or (row["stopping"] is not None and with_jobs):
        return Begun(0)
    made: list[JobId] = []
    count, refused = 0, None
    for line in new:
        try:
            with connection.begin_nested():
                made += _begin_line(connection, batch, line, now)
        except QuotaSpent as error:
            refused = error
            break
        count += 1
    if count:
        failed = sum(line.result is not None for line in new[:count])
        told = update(batches).where(batches.c.id == batch)
        connection.execute(told.values(begun=new[count - 1].number, failed=batches.c.failed + failed))
    return Begun(count, made, refused)


def _begin_line(
    connection: Connection, batch: str, line: NewLine, now: Callable[[], datetime]
) -> list[JobId]:
    row = {
        "batch_id": batch,
        "number": line.number,
        "custom_id": line.custom_id,
        "succeeded": None if line.result is None else False,
        "result": line.result,
    }
    connection.execute(insert(batch_lines), row)
    made = [each.job.id for each in submit_all(connection, line.jobs, now)]
    links = [
        {"job_id": job, "batch_id": batch, "number": line.number, "choice": choice}
        for choice, job in enumerate(made)
    ]
    if links:
        connection.execute(insert(batch_jobs), links)
    return made


def stop(connection: Connection, batch: str, why: str, at: datetime) -> Sequence[JobId]:
    row = _lock(connection, batch)
    if row is None or row["stopping"] is not None:
        return ()
    connection.execute(update(batches).where(batches.c.id == batch).values(stopping=why, stopping_at=at))
    # Rows are locked in the journal's order, as elsewhere: in another, the two could wait for each other.
    its_jobs = (
        select(jobs.c.id)
        .where(jobs.c.id.in_(_jobs_of_open(batch)), jobs.c.finished_at.is_(None))
        .order_by(jobs.c.id)
        .with_for_update(key_share=True)
        .cte("its_jobs")
    )
    cancelled = (
        update(jobs)
        .where(jobs.c.id.in_(select(its_jobs.c.id)))
        .values(cancel_requested=func.coalesce(jobs.c.cancel_requested, REASONS[why]), wake=true())
        .returning(jobs.c.id)
    )
    return [JobId(job) for job in connection.execute(cancelled).scalars()]


def count_open(connection: Connection, batch: str) -> int:
    open_lines = select(func.count()).where(batch_lines.c.batch_id == batch, batch_lines.c.result.is_(None))
    return int(connection.execute(open_lines).scalar_one())


def list_ended(connection: Connection, batch: str, limit: int) -> Sequence[EndedLine]:
    its_line = (batch_jobs.c.batch_id == batch_lines.c.batch_id) & (
        batch_jobs.c.number == batch_lines.c.number
    )
    running = func.sum(case((jobs.c.id.is_not(None) & jobs.c.finished_at.is_(None), 1), else_=0))
    ended = (
        select(batch_lines.c.number, batch_lines.c.custom_id)
        .outerjoin(batch_jobs, its_line)
        .outerjoin(jobs, jobs.c.id == batch_jobs.c.job_id)
        .where(batch_lines.c.batch_id == batch, batch_lines.c.result.is_(None))
        .group_by(batch_lines.c.number, batch_lines.c.custom_id)
        .having(running == 0)
        .order_by(batch_lines.c.number)
        .limit(limit)
    )
    return [
        EndedLine(number, custom_id, _jobs_of_line(connection, batch, number))
        for number, custom_id in connection.execute(ended).all()
    ]


def read_jobs(connection: Connection, line: EndedLine) -> Sequence[JobRow]:
    found = {
        row["id"]: job_row(row)
        for row in connection.execute(select(jobs).where(jobs.c.id.in_(line.jobs))).mappings()
    }
    return [found[job] for job in line.jobs if job in found]


def write_results(connection: Connection, batch: str, results: Sequence[Result]) -> None:
    if _lock(connection, batch) is None:
        return
    counts = {True: 0, False: 0}
    for result in results:
        ended = (
            update(batch_lines)
            .where(
                batch_lines.c.batch_id == batch,
                batch_lines.c.number == result.number,
                batch_lines.c.result.is_(None),
            )
            .values(succeeded=result.succeeded, result=result.text)
        )
        counts[result.succeeded] += connection.execute(ended).rowcount
    told = {"succeeded": batches.c.succeeded + counts[True], "failed": batches.c.failed + counts[False]}
    connection.execute(update(batches).where(batches.c.id == batch).values(told))


def end(connection: Connection, batch: str, at: datetime) -> bool:
    row = _lock(connection, batch)
    if row is None:
        return True
    not_begun = select(file_lines.c.number).where(
        file_lines.c.file_id == row["file_id"], file_lines.c.number > row["begun"]
    )
    if count_open(connection, batch) or connection.execute(not_begun.limit(1)).one_or_none() is not None:
        return False
    connection.execute(update(batches).where(batches.c.id == batch).values(ended_at=at))
    write_notices(connection, row, at)
    return True


def read_results(
    connection: Connection, batch: str, after: int, limit: int, *, succeeded: bool | None
) -> Sequence[Result]:
    kind = true() if succeeded is None else batch_lines.c.succeeded.is_(succeeded)
    wanted = (
        select(batch_lines.c.number, batch_lines.c.succeeded, batch_lines.c.result)
        .where(
            batch_lines.c.batch_id == batch,
            batch_lines.c.number > after,
            batch_lines.c.result.is_not(null()),
            kind,
        )
        .order_by(batch_lines.c.number)
        .limit(limit)
    )
    return [Result(*row) for row in connection.execute(wanted).all()]


def measure(connection: Connection, batch: str, *, succeeded: bool) -> int:
    with_newline = func.coalesce(func.sum(func.length(batch_lines.c.result) + 1), 0)
    wanted = select(with_newline).where(
        batch_lines.c.batch_id == batch, batch_lines.c.succeeded.is_(succeeded)
    )
    return int(connection.execute(wanted).scalar_one())


def _lock(connection: Connection, batch: str) -> RowMapping | None:
    """The row of a batch that has not ended; nobody else changes it until the end of this transaction."""
    live = select(batches).where(batches.c.id == batch, batches.c.ended_at.is_(None)).with_for_update()
    return connection.execute(live).mappings().one_or_none()


def _jobs_of_line(connection: Connection, batch: str, number: int) -> tuple[JobId, ...]:
    wanted = (
        select(batch_jobs.c.job_id)
        .where(batch_jobs.c.batch_id == batch, batch_jobs.c.number == number)
        .order_by(batch_jobs.c.choice)
    )
    return tuple(JobId(job) for job in connection.execute(wanted).scalars())


def _jobs_of_open(batch: str) -> Select[Any]:
    its_line = (batch_jobs.c.batch_id == batch_lines.c.batch_id) & (
        batch_jobs.c.number == batch_lines.c.number
    )
    return (
        select(batch_jobs.c.job_id)
        .join(batch_lines, its_line)
        .where(batch_lines.c.batch_id == batch, batch_lines.c.result.is_(None))
    )
