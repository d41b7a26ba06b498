"""Stores what people think of answers, and tells what an answer was found to be worth, by people and by graders.

It is no part of a job's journal, which ends with the job: who rates an answer does so later, and may change their mind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from anabranch.dag.ids import JobId
from anabranch.dag.training.samples import Reward
from anabranch.service.store.evaluations.tables import feedback, trials
from anabranch.service.store.sql.repository import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRow:
    author: str
    score: float
    comment: str
    at: datetime


class Feedback(Repository):
    """Ratings of jobs. All methods raise StoreAway."""

    async def rate(self, job: JobId, author: str, score: float, comment: str) -> FeedbackRow:
        """Keeps an author's rating; a later one takes its place."""
        row = FeedbackRow(author=author, score=score, comment=comment, at=self._now())
        values = {"job_id": job, "author": author, "score": score, "comment": comment, "at": row.at}

        def write(connection: Connection) -> None:
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            same = [feedback.c.job_id, feedback.c.author]
            connection.execute(
                insert(feedback).values(values).on_conflict_do_update(index_elements=same, set_=values)
            )

        await self._database.write(write)
        return row

    async def list(self, job: JobId) -> Sequence[FeedbackRow]:
        """All ratings of a job, by author."""
        wanted = select(feedback).where(feedback.c.job_id == job).order_by(feedback.c.author)
        rows = await self._database.read(lambda connection: connection.execute(wanted).mappings().all())
        return [
            FeedbackRow(author=row["author"], score=row["score"], comment=row["comment"], at=row["at"])
            for row in rows
        ]

    async def list_rewards(self, job: JobId) -> Sequence[Reward]:
        """What the job's answer was found to be worth: by graders of evaluations, then by people."""
        judged = (
            select(trials.c.run, trials.c.arm, trials.c.score)
            .where(trials.c.job == job)
            .order_by(trials.c.run, trials.c.arm)
        )
        verdicts = await self._database.read(lambda connection: connection.execute(judged).all())
        by_graders = [Reward(by=f"evaluation {run}", score=score) for run, _, score in verdicts]
        return by_graders + [Reward(by=row.author, score=row.score) for row in await self.list(job)]
