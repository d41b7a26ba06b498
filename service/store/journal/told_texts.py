"""Stores the text of final thoughts before anybody is told it, so that it stands whoever decodes on.

Checkpoints are seconds behind what arrived, which is well for text that nobody has read. What a reader was told of the
answer must never be decoded anew: so it is stored first, in small pieces, one transaction for all jobs of a process.
A transaction takes text of a claim only as long as no other claim has replaced it, and a successor reads the pieces
after it has claimed. So it goes on behind all that was told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from anabranch.dag.ids import BranchId, JobId
from anabranch.service.store.projections.apply import replace
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import jobs, told_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldText:
    """A piece of a segment's thought and text: what was stored behind its places is replaced."""

    branch: BranchId
    segment: int
    ordinal: int
    """Pieces of a segment are numbered from 0."""
    thought_at: int
    thought: str
    text_at: int
    text: str
    tokens: int
    """Of the segment so far."""
    reasoning_tokens: int


class ToldTexts(Repository):
    """The pieces, in their order."""

    async def save(self, told: Mapping[tuple[JobId, int], Sequence[ToldText]]) -> frozenset[JobId]:
        """Stores pieces by job and epoch; gives the jobs whose claim still holds, the others' are not stored. Raises
        StoreAway."""
        epochs = (
            select(jobs.c.id, jobs.c.epoch)
            .where(jobs.c.id.in_([job for job, _ in told]), jobs.c.finished_at.is_(None))
            .order_by(jobs.c.id)  # the journal's order: or each could wait for what the other holds
            .with_for_update(read=True)
        )

        def work(connection: Connection) -> frozenset[JobId]:
            held = {(JobId(row.id), row.epoch) for row in connection.execute(epochs)}
            rows = [_row(job, piece) for job, epoch in told.keys() & held for piece in told[job, epoch]]
            if rows:
                replace(connection, told_texts, rows)  # an earlier try may have been committed after all
            return frozenset(job for job, _ in told.keys() & held)

        return await self._database.write(work)

    async def read(self, job: JobId) -> list[ToldText]:
        """All pieces of a job, each segment's in their order. Raises StoreAway."""
        pieces = (
            select(told_texts)
            .where(told_texts.c.job_id == job)
            .order_by(told_texts.c.branch, told_texts.c.segment, told_texts.c.ordinal)
        )
        rows = await self._database.read(lambda connection: connection.execute(pieces).all())
        return [
            ToldText(
                branch=row.branch,
                segment=row.segment,
                ordinal=row.ordinal,
                thought_at=row.thought_at,
                thought=row.thought,
                text_at=row.text_at,
                text=row.text,
                tokens=row.tokens,
                reasoning_tokens=row.reasoning_tokens,
            )
            for row in rows
        ]


def _row(job: JobId, piece: ToldText) -> dict[str, object]:
    return {
        "job_id": job,
        "branch": piece.branch,
        "segment": piece.segment,
        "ordinal": piece.ordinal,
        "thought_at": piece.thought_at,
        "thought": piece.thought,
        "text_at": piece.text_at,
        "text": piece.text,
        "tokens": piece.tokens,
        "reasoning_tokens": piece.reasoning_tokens,
    }
