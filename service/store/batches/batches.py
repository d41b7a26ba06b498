"""Stores batches, and takes each line from its file to its result.

A line *begins* when it has a row in `batch_lines`, in one transaction with its jobs: so what a killed process had done
is exactly what the store says, and who goes on begins behind it. A line *ends* when its result is written, once. Any
number of processes may work on a batch: each transaction locks the batch's row first, and does nothing that is done
already. All methods raise StoreAway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select, true
from sqlalchemy.exc import IntegrityError

from anabranch.dag.ids import JobId
from anabranch.service.store.batches import lines
from anabranch.service.store.batches.lines import Begun, EndedLine, NewLine, Result
from anabranch.service.store.batches.tables import batches
from anabranch.service.store.errors import BatchConflict, NotFound
from anabranch.service.store.identity import new_id
from anabranch.service.store.rows import JobRow
from anabranch.service.store.sql.repository import Repository

PREFIX = "batch_"
Stopping = Literal["cancelled", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    tenant: str
    file: str
    endpoint: str
    completion_window: str
    expires_at: datetime
    total: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None
    body_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """A batch as it stands."""

    id: str
    tenant: str
    body_digest: str | None
    file_id: str
    endpoint: str
    completion_window: str
    metadata: Mapping[str, Any]
    total: int
    created_at: datetime
    expires_at: datetime
    begun: int
    """Number of the last line of the file that has begun."""
    succeeded: int
    failed: int
    stopping: Stopping | None
    """Why no line begins any more."""
    stopping_at: datetime | None
    ended_at: datetime | None


class Batches(Repository):
    """The batches of one database."""

    async def create(self, new: NewBatch) -> tuple[BatchRow, bool]:
        """Makes the batch, or finds the one that the same key and body made; and whether it is new. Raises
        BatchConflict if the key was used with another body, and NotFound if the file has gone."""
        work = partial(_create, new=new, at=self._now())
        try:
            return await self._database.write(work)
        except IntegrityError:
            if new.idempotency_key is None:
                raise
            return await self._database.write(
                work
            )  # the same key came in twice at once: the other one's is there

    async def find(self, tenant: str, key: str) -> BatchRow | None:
        """The batch that was made with this key."""
        return await self._database.read(partial(_of_key, tenant=tenant, key=key))

    async def get(self, batch: str, tenant: str | None = None) -> BatchRow:
        """One batch. Raises NotFound, also for another tenant's."""
        found = await self._rows(batches.c.id == batch, _of_tenant(tenant))
        if not found:
            raise NotFound("batch", batch[:100])
        return found[0]

    async def list_page(
        self, limit: int, after: str | None = None, tenant: str | None = None
    ) -> Sequence[BatchRow]:
        """Batches, newest first, behind the one of this id. Raises NotFound."""
        behind = true() if after is None else batches.c.id < (await self.get(after, tenant)).id
        return await self._rows(_of_tenant(tenant), behind, limit=limit)

    async def list_live(self) -> Sequence[BatchRow]:
        """Those that have not ended, newest first."""
        return await self._rows(batches.c.ended_at.is_(None))

    async def stop(self, batch: str, why: Stopping, tenant: str | None = None) -> Sequence[JobId]:
        """No line begins any more, and the jobs of those that have are cancelled. The first reason stands; a batch
        that has ended stays as it is. Returns the jobs that were told. Raises NotFound."""
        await self.get(batch, tenant)
        return await self._database.write(partial(lines.stop, batch=batch, why=why, at=self._now()))

    # -- its lines

    async def begin_lines(self, batch: BatchRow, new: Sequence[NewLine]) -> Begun:
        """Begins these lines, which come behind all that have begun; those behind one that the quota refuses stay.

        None begins where another process was quicker, or where the batch is stopping and they have jobs.
        """
        return await self._database.write(
            partial(lines.begin, batch=batch.id, after=batch.begun, new=new, now=self._now)
        )

    async def count_open(self, batch: str) -> int:
        """Counts the lines that have begun and not ended."""
        return await self._database.read(partial(lines.count_open, batch=batch))

    async def list_ended(self, batch: str, limit: int) -> Sequence[EndedLine]:
        """Lines whose jobs have ended and that have no result yet, in order."""
        return await self._database.read(partial(lines.list_ended, batch=batch, limit=limit))

    async def read_jobs(self, line: EndedLine) -> Sequence[JobRow]:
        """The jobs of a line, one for each choice."""
        return await self._database.read(partial(lines.read_jobs, line=line))

    async def write_results(self, batch: str, results: Sequence[Result]) -> None:
        """Ends lines, unless another process has."""
        await self._database.write(partial(lines.write_results, batch=batch, results=results))

    async def end(self, batch: str) -> bool:
        """Ends the batch if all its lines have; says whether it has ended now."""
        return await self._database.write(partial(lines.end, batch=batch, at=self._now()))

    async def read_results(
        self, batch: str, after: int, limit: int, *, succeeded: bool | None = None
    ) -> Sequence[Result]:
        """Results of lines behind this number, in the order of the file: all, or those of one kind."""
        return await self._database.read(
            partial(lines.read_results, batch=batch, after=after, limit=limit, succeeded=succeeded)
        )

    async def measure(self, batch: str, *, succeeded: bool) -> int:
        """How many bytes all results of one kind have, each with its newline."""
        return await self._database.read(partial(lines.measure, batch=batch, succeeded=succeeded))

    async def _rows(self, *where: ColumnElement[bool], limit: int | None = None) -> list[BatchRow]:
        wanted = select(batches).where(*where).order_by(batches.c.id.desc()).limit(limit)
        found = await self._database.read(lambda connection: connection.execute(wanted).mappings().all())
        return [_batch_row(row) for row in found]


def _batch_row(row: RowMapping) -> BatchRow:
    return BatchRow(**{name: row[name] for name in BatchRow.__dataclass_fields__})


def _of_tenant(tenant: str | None) -> ColumnElement[bool]:
    return true() if tenant is None else batches.c.tenant == tenant


def _of_key(connection: Connection, tenant: str, key: str) -> BatchRow | None:
    wanted = select(batches).where(batches.c.tenant == tenant, batches.c.idempotency_key == key)
    row = connection.execute(wanted).mappings().one_or_none()
    return None if row is None else _batch_row(row)


def _create(connection: Connection, new: NewBatch, at: datetime) -> tuple[BatchRow, bool]:
    key = new.idempotency_key
    earlier = None if key is None else _of_key(connection, new.tenant, key)
    if earlier is not None and key is not None:
        if earlier.body_digest != new.body_digest:
            raise BatchConflict(key, earlier.id)
        return earlier, False
    lines.keep_file(connection, new.file)
    row = {
        "id": PREFIX + new_id(),
        "tenant": new.tenant,
        "idempotency_key": key,
        "body_digest": new.body_digest,
        "file_id": new.file,
        "endpoint": new.endpoint,
        "completion_window": new.completion_window,
        "metadata": dict(new.metadata),
        "total": new.total,
        "created_at": at,
        "expires_at": new.expires_at,
    }
    connection.execute(insert(batches), row)
    made = connection.execute(select(batches).where(batches.c.id == row["id"])).mappings().one()
    return _batch_row(made), True
