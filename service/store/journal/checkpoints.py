"""Stores text of segments that are still being decoded, so that a lost organizer costs no more than the last
seconds.
"""

from collections.abc import Sequence

from sqlalchemy import select

from anabranch.dag.ids import BranchId, JobId
from anabranch.service.store.projections.apply import replace
from anabranch.service.store.rows import Checkpoint
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import checkpoints


class Checkpoints(Repository):
    """The thought and the text so far of open segments."""

    async def save(self, job: JobId, saved: Sequence[Checkpoint]) -> None:
        """Replaces the checkpoints of these branches. Raises StoreAway."""
        at = self._now()
        rows = [
            {
                "job_id": job,
                "branch": checkpoint.branch,
                "segment": checkpoint.segment,
                "attempt": checkpoint.attempt,
                "text": checkpoint.text,
                "tokens": checkpoint.tokens,
                "thought": checkpoint.thought,
                "reasoning_tokens": checkpoint.reasoning_tokens,
                "second_tokens": checkpoint.second_tokens,
                "second_reasoning_tokens": checkpoint.second_reasoning_tokens,
                "at": at,
            }
            for checkpoint in saved
        ]
        if rows:
            await self._database.write(lambda connection: replace(connection, checkpoints, rows))

    async def read(self, job: JobId) -> dict[BranchId, Checkpoint]:
        """The last checkpoint of each branch that has one. Raises StoreAway."""
        saved = select(checkpoints).where(checkpoints.c.job_id == job)
        rows = await self._database.read(lambda connection: connection.execute(saved).all())
        return {
            row.branch: Checkpoint(
                branch=row.branch,
                segment=row.segment,
                attempt=row.attempt,
                text=row.text,
                tokens=row.tokens,
                thought=row.thought,
                reasoning_tokens=row.reasoning_tokens,
                second_tokens=row.second_tokens,
                second_reasoning_tokens=row.second_reasoning_tokens,
            )
            for row in rows
        }
