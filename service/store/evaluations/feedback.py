"""Keeps what people think of answers, and tells what an answer was found to be worth, by people and by graders.

A rating is an event of the job's journal, the only kind that may follow the job's end; of an author's ratings the last
one holds. The table `feedback` has those of a release that did not journal them: they hold until their author rates
again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from anabranch.dag.events import JobRated, Record
from anabranch.dag.ids import JobId
from anabranch.dag.training.samples import Reward
from anabranch.service.store.codec import encode
from anabranch.service.store.errors import JobNotEnded, NotFound
from anabranch.service.store.evaluations.tables import evaluations, feedback, trials
from anabranch.service.store.journal.batch import read_heads
from anabranch.service.store.journal.records import chain_events, insert_links, record_of_row
from anabranch.service.store.projections.apply import write
from anabranch.service.store.projections.changes import Change
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import events


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRow:
    author: str
    score: float
    comment: str
    at: datetime


class Feedback(Repository):
    """Ratings of jobs. All methods raise StoreAway."""

    async def rate(self, job: JobId, author: str, score: float, comment: str) -> FeedbackRow:
        """Appends a rating to the journal of a job that has ended; what its author said last is not said twice. Raises
        NotFound and JobNotEnded."""
        rated = JobRated(author=author, score=score, comment=comment)
        return await self._database.write(partial(_rate, job=job, rated=rated, at=self._now()))

    async def list(self, job: JobId) -> Sequence[FeedbackRow]:
        """All ratings of a job that hold, by author."""
        return await self._database.read(partial(_list, job=job))

    async def list_rewards(self, job: JobId) -> Sequence[Reward]:
        """What the job's answer was found to be worth: by graders of evaluations, then by people."""
        return await self._database.read(partial(_list_rewards, job=job))


def _list_rewards(connection: Connection, *, job: JobId) -> Sequence[Reward]:
    judged = (
        select(trials.c.run, trials.c.task, trials.c.score, evaluations.c.design)
        .join(evaluations, (evaluations.c.tenant == trials.c.tenant) & (evaluations.c.run == trials.c.run))
        .where(trials.c.job == job)
        .order_by(trials.c.run, trials.c.arm)
    )
    by_graders = [
        Reward(by=f"evaluation {row.run}", score=row.score, truth=_right_answer(row.design, row.task))
        for row in connection.execute(judged)
    ]
    return by_graders + [Reward(by=row.author, score=row.score) for row in _list(connection, job=job)]


def _right_answer(design: Mapping[str, Any], task: str) -> str | None:
    return next((told["answer"] for told in design["tasks"] if told["id"] == task), None)


def _rate(connection: Connection, *, job: JobId, rated: JobRated, at: datetime) -> FeedbackRow:
    head = read_heads(connection, {job}).get(job)
    if head is None:
        raise NotFound("job", job)
    if not head.over:
        raise JobNotEnded(job)
    encoded = encode(rated)
    for record in reversed(_read_rated(connection, job)):
        if isinstance(record.event, JobRated) and record.event.author == rated.author:
            if record.event == encoded.event:
                return _row(record)
            break
    (link,), (record,) = chain_events(job, head.epoch, head, [encoded], max(at, head.at))
    insert_links(connection, [link])
    moved = {"head_seq": link.seq, "head_hash": link.hash, "head_at": link.at}
    write(connection, [(job, Change("jobs", set=moved))])
    return _row(record)


def _list(connection: Connection, *, job: JobId) -> Sequence[FeedbackRow]:
    earlier = connection.execute(select(feedback).where(feedback.c.job_id == job)).mappings()
    held = {
        row["author"]: FeedbackRow(
            author=row["author"], score=row["score"], comment=row["comment"], at=row["at"]
        )
        for row in earlier
    }
    journaled = [_row(record) for record in _read_rated(connection, job)]
    held |= {row.author: row for row in journaled}
    return [held[author] for author in sorted(held)]


def _read_rated(connection: Connection, job: JobId) -> list[Record]:
    found = (
        select(events)
        .where(events.c.job_id == job, events.c.kind == JobRated.__name__)
        .order_by(events.c.seq)
    )
    return [record_of_row(row) for row in connection.execute(found).mappings()]


def _row(record: Record) -> FeedbackRow:
    rated = record.event
    assert isinstance(rated, JobRated)
    return FeedbackRow(author=rated.author, score=rated.score, comment=rated.comment, at=record.at)
