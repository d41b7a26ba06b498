"""Leases jobs to organizers.

A **lease** is an organizer's right to work on a job until a moment that the database's own clock decides; heartbeats
renew it. An **epoch** is the number of the claim: each claim raises it, and each append must carry the current one
(`journal/batch.py` refuses any other). A lease keeps two organizers from doing the same work; that nothing counts which
a lost organizer does, however late it wakes up, is ensured by the epoch alone.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    null,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from anabranch.dag.events import Record
from anabranch.dag.ids import JobId
from anabranch.service.store import programs
from anabranch.service.store.errors import StoreAway, UnreadableFormat
from anabranch.service.store.jobs import organizers
from anabranch.service.store.jobs.claiming import build_claim
from anabranch.service.store.jobs.organizers import Presence
from anabranch.service.store.journal.batch import LONG_SECONDS
from anabranch.service.store.journal.records import record_of_row
from anabranch.service.store.programs import Role, this_program
from anabranch.service.store.rows import Claim, LeaseState
from anabranch.service.store.sql.advisory_lock import advisory_lock
from anabranch.service.store.sql.clock import later
from anabranch.service.store.sql.faults import waited_for_lock
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import approvals, events, jobs, suspicions


class Queue(Repository):
    """Claims: leases are given, renewed and ended."""

    async def claim(
        self,
        owner: str,
        lease_seconds: float,
        limit: int,
        most_of_tenant: int | None = None,
        left: Collection[JobId] = (),
        *,
        batches: bool = True,
    ) -> list[Claim]:
        """Takes up to `limit` jobs that nobody works on and that have something to do.

        Those are the submitted, the released whose time has come or to which something happened, and those whose lease
        has ended. First comes whose turn is first: waiting makes up for priority (see PRIORITY_SECONDS). With
        `most_of_tenant`, no tenant has more than so many jobs in hand, and whose tenant has fewer goes first;
        jobs of batches come behind all others, count apart, and are not for an owner who takes no `batches`. Nor are
        those in `left`. No two callers get the same job. Raises StoreAway.
        """
        statement = build_claim(most_of_tenant, batches=batches, left=bool(left))
        given = {"owner": owner, "lease": lease_seconds, "most": limit}
        if left:
            given["left"] = list(left)

        def work(connection: Connection) -> list[Claim]:
            if most_of_tenant is not None:
                # Who counts what is in hand must see what others have just taken.
                advisory_lock(connection, "claims")
            rows = connection.execute(statement, given).all()
            fresh = [row.id for row in rows if row.epoch == 1]
            journals = _read_journals(connection, fresh) if fresh else {}
            return [_claim(row, journals.get(row.id, ())) for row in sorted(rows, key=lambda row: row.turn)]

        return await self._database.write(work)

    async def heartbeat(
        self, owner: str, lease_seconds: float, presence: Presence | None = None
    ) -> dict[JobId, LeaseState]:
        """Renews all leases of this owner, and with them what it tells of itself; tells which jobs are still in its
        hands. Raises StoreAway, and SchemaAhead if a newer release has taken away what this one needs."""
        owned = and_(jobs.c.lease_owner == owner, jobs.c.finished_at.is_(None))
        # Jobs whose journals are being written come last: a commit may take longer than the leases of the others last.
        renewing = _renewing(owned, lease_seconds, skip_locked=True)
        held = select(jobs.c.id, jobs.c.epoch, jobs.c.wake, jobs.c.cancel_requested).where(owned)

        def work(connection: Connection) -> tuple[list[Row[Any]], set[JobId]]:
            programs.renew(connection, this_program(Role.ORGANIZER, owner), lease_seconds)
            if presence is not None:
                organizers.renew(connection, owner, presence, lease_seconds)
            renewed = set(connection.execute(renewing).scalars())
            return list(connection.execute(held)), renewed

        rows, renewed = await self._database.write(work)
        if locked := [row.id for row in rows if row.id not in renewed]:
            await self._renew_soon(and_(owned, jobs.c.id.in_(locked)), lease_seconds)
        return {
            row.id: LeaseState(epoch=row.epoch, woken=row.wake, cancel_requested=row.cancel_requested)
            for row in rows
        }

    async def _renew_soon(self, locked: ColumnElement[bool], lease_seconds: float) -> None:
        """Renews leases of jobs whose journals are being written; where that takes long, the commit keeps them itself
        (`journal/batch.py`)."""

        def work(connection: Connection) -> None:
            connection.execute(text(f"SET LOCAL lock_timeout = '{LONG_SECONDS}s'"))
            connection.execute(_renewing(locked, lease_seconds, skip_locked=False))

        try:
            await self._database.write(work)
        except StoreAway as error:
            if not waited_for_lock(error):
                raise

    async def release(
        self, job: JobId, epoch: int, after: float | None = None, *, broke: bool = False
    ) -> bool:
        """Gives the job back, to be claimed once something happens to it, or else after so many seconds.

        0 seconds lets the next organizer take it at once. What happened and is not in the journal yet, a decision or a
        cancel, counts as happening now, so it is never slept through. With `broke` the job counts as lost: its own
        fault kept it from going on. False if the job was claimed anew meanwhile. Raises StoreAway.
        """
        undone = exists().where(
            approvals.c.job_id == jobs.c.id,
            approvals.c.decision.is_not(None),
            approvals.c.recorded.is_(False),
        )
        released = (
            update(jobs)
            .where(jobs.c.id == job, jobs.c.epoch == epoch, jobs.c.lease_owner.is_not(None))
            .values(
                attempt=jobs.c.attempt + int(broke),
                lease_owner=null(),
                lease_expires=null(),
                wake=case((or_(undone, jobs.c.cancel_requested.is_not(None)), true()), else_=false()),
                not_before=null() if after is None else later(after),
            )
            .returning(jobs.c.id)
        )
        row = await self._database.write(lambda connection: connection.execute(released).one_or_none())
        return row is not None

    async def count_queued(self) -> int:
        """Counts the jobs that were submitted and that nobody has taken up. Raises StoreAway."""
        queued = select(func.count()).where(jobs.c.status == "queued")
        return int(await self._database.read(lambda connection: connection.execute(queued).scalar_one()))

    async def hand_over(self, owner: str, suspects_after: float) -> int:
        """Gives back all that a lost owner had, to be claimed at once and without an attempt counted; jobs that this
        claim of theirs made suspect only after so many seconds, so that the others get somewhere first. Returns how
        many. The owner is reached no longer. Raises StoreAway."""
        suspected = exists().where(suspicions.c.job_id == jobs.c.id, suspicions.c.epoch == jobs.c.epoch)
        released = (
            update(jobs)
            .where(jobs.c.lease_owner == owner, jobs.c.finished_at.is_(None))
            .values(
                lease_owner=null(),
                lease_expires=null(),
                not_before=case((suspected, later(suspects_after)), else_=later(0.0)),
            )
        )

        def work(connection: Connection) -> int:
            connection.execute(organizers.removal(owner))
            connection.execute(programs.removal(owner))
            return connection.execute(released).rowcount

        return await self._database.write(work)


def _renewing(whose: ColumnElement[bool], lease_seconds: float, *, skip_locked: bool) -> ReturningUpdate[Any]:
    # Rows are locked in the journal's order: in another, it and this could each wait for what the other holds.
    free = (
        select(jobs.c.id)
        .where(whose)
        .order_by(jobs.c.id)
        .with_for_update(key_share=True, skip_locked=skip_locked)
        .cte("free")
    )
    return (
        update(jobs)
        .where(jobs.c.id.in_(select(free.c.id)))
        .values(lease_expires=later(lease_seconds))
        .returning(jobs.c.id)
    )


_JOURNALS = (
    select(events)
    .where(events.c.job_id.in_(bindparam("ids", expanding=True)))
    .order_by(events.c.job_id, events.c.seq)
)


def _read_journals(connection: Connection, ids: Sequence[JobId]) -> dict[JobId, tuple[Record, ...]]:
    """The journals of these jobs, whole; those that this release cannot read are left out."""
    rows = connection.execute(_JOURNALS, {"ids": ids}).mappings().all()
    read: dict[JobId, tuple[Record, ...]] = {}
    for job, of_job in groupby(rows, key=lambda row: JobId(row["job_id"])):
        with suppress(UnreadableFormat):
            read[job] = tuple(map(record_of_row, of_job))
    return read


def _claim(row: Row[Any], journal: tuple[Record, ...]) -> Claim:
    return Claim(
        job=row.id,
        epoch=row.epoch,
        attempt=row.attempt,
        head_seq=row.head_seq,
        head_hash=row.head_hash,
        cancel_requested=row.cancel_requested,
        trace_id=row.trace_id,
        traceparent=row.traceparent,
        journal=journal,
    )
