"""Stores which jobs are responses of the Responses API, and what was sent for them. All methods raise StoreAway.

It is no part of the journal: a response can be deleted, and the journal of its job stays whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, literal, select

from anabranch.dag.ids import JobId
from anabranch.dag.status import JobStatus
from anabranch.service.store.errors import NotFound
from anabranch.service.store.jobs.requests import of_tenant, request_cancel
from anabranch.service.store.rows import JobRow, NewResponse, job_row
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.storable import storable
from anabranch.service.store.sql.tables import jobs, responses


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRow:
    """A job that is a response."""

    job: JobRow
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A response as part of a conversation."""

    job: JobId
    status: JobStatus
    request: Mapping[str, Any]
    answer: Mapping[str, Any] | None
    """As JobRow has it. None until the job has succeeded."""
    previous: JobId | None


class Responses(Repository):
    """The responses of one database."""

    async def get(self, job: JobId, tenant: str | None = None) -> ResponseRow:
        """One response. Raises NotFound, also for another tenant's, and for one that was deleted."""
        wanted = select(jobs, responses.c.request).join(responses).where(jobs.c.id == job, of_tenant(tenant))
        rows = await self._database.read(lambda connection: connection.execute(wanted).mappings().all())
        if not rows:
            raise NotFound("response", job)
        return ResponseRow(job=job_row(rows[0]), request=rows[0]["request"])

    async def read_conversation(self, last: JobId, most: int, tenant: str | None = None) -> Sequence[Turn]:
        """This response and those that it goes on from, the earliest first, at most so many.

        Where one is missing (deleted, or another tenant's) the conversation begins behind it.
        """
        wanted = _conversation(last, most, tenant)
        rows = await self._database.read(lambda connection: connection.execute(wanted).all())
        return [
            Turn(
                job=row.id,
                status=JobStatus(row.status),
                request=row.request,
                answer=row.answer if row.status == JobStatus.SUCCEEDED else None,
                previous=row.previous,
            )
            for row in rows
        ]

    async def delete(self, job: JobId, reason: str, tenant: str | None = None) -> None:
        """Deletes a response with what was sent for it. Its job stays; one that has not ended is cancelled. Raises
        NotFound."""
        await self._database.write(partial(_delete, job=job, reason=reason, tenant=tenant))


def insert_response(connection: Connection, job: JobId, response: NewResponse) -> None:
    row = {"job_id": job, "previous": response.previous, "request": storable(response.request)}
    connection.execute(insert(responses), row)


def _conversation(last: JobId, most: int, tenant: str | None) -> Select[Any]:
    own = select(responses.c.job_id, responses.c.previous, literal(1).label("place")).join(jobs)
    newest = own.where(responses.c.job_id == last, of_tenant(tenant)).cte("conversation", recursive=True)
    earlier = (
        select(responses.c.job_id, responses.c.previous, newest.c.place + 1)
        .join(newest, responses.c.job_id == newest.c.previous)
        .join(jobs, jobs.c.id == responses.c.job_id)
        .where(of_tenant(tenant), newest.c.place < most)
    )
    turns = newest.union_all(earlier)
    return (
        select(jobs.c.id, jobs.c.status, jobs.c.answer, responses.c.request, responses.c.previous)
        .join(responses)
        .join(turns, turns.c.job_id == jobs.c.id)
        .order_by(turns.c.place.desc())
    )


def _delete(connection: Connection, job: JobId, reason: str, tenant: str | None) -> None:
    found = select(responses.c.job_id).join(jobs).where(responses.c.job_id == job, of_tenant(tenant))
    if connection.execute(found).one_or_none() is None:
        raise NotFound("response", job)
    request_cancel(connection, job, reason, tenant)
    connection.execute(delete(responses).where(responses.c.job_id == job))
