"""Leases jobs to organizers.

A **lease** is an organizer's right to work on a job until a moment that the database's own clock decides; heartbeats
renew it. An **epoch** is the number of the claim: each claim raises it, and each append must carry the current one
(`journal/batch.py` refuses any other). A lease keeps two organizers from doing the same work; that nothing counts which
a lost organizer does, however late it wakes up, is ensured by the epoch alone.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from anabranch.dag.events import Record
from anabranch.dag.ids import JobId
from anabranch.dag.job import BATCH_PRIORITY
from anabranch.service.store import programs
from anabranch.service.store.errors import UnreadableFormat
from anabranch.service.store.jobs import organizers
from anabranch.service.store.jobs.organizers import Presence
from anabranch.service.store.journal.records import record_of_row
from anabranch.service.store.programs import Role, this_program
from anabranch.service.store.rows import Claim, LeaseState
from anabranch.service.store.sql.advisory_lock import advisory_lock
from anabranch.service.store.sql.clock import later, now
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import approvals, events, jobs, suspicions

_HEAD = (jobs.c.epoch, jobs.c.attempt, jobs.c.head_seq, jobs.c.head_hash)


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
        claiming = _claiming(most_of_tenant, batches=batches, left=bool(left))
        given = {"owner": owner, "lease": lease_seconds, "most": limit}
        if left:
            given["left"] = list(left)

        def work(connection: Connection) -> list[Claim]:
            if most_of_tenant is not None:
                advisory_lock(
                    connection, "claims"
                )  # who counts what is in hand must see what others have just taken
            rows = connection.execute(claiming, given).all()
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
        # A job that a commit of its journal holds is not waited for: while a wide fork is written, the leases of all
        # others would end. Nobody else can claim it meanwhile, and journal/batch.py keeps its lease behind it.
        free = select(jobs.c.id).where(owned).with_for_update(key_share=True, skip_locked=True).cte("free")
        renewed = (
            update(jobs).where(jobs.c.id.in_(select(free.c.id))).values(lease_expires=later(lease_seconds))
        )
        held = select(jobs.c.id, jobs.c.epoch, jobs.c.wake, jobs.c.cancel_requested).where(owned)

        def work(connection: Connection) -> Sequence[Row[Any]]:
            programs.renew(connection, this_program(Role.ORGANIZER, owner), lease_seconds)
            if presence is not None:
                organizers.renew(connection, owner, presence, lease_seconds)
            connection.execute(renewed)
            return list(connection.execute(held))

        rows = await self._database.write(work)
        return {
            row.id: LeaseState(epoch=row.epoch, woken=row.wake, cancel_requested=row.cancel_requested)
            for row in rows
        }

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


@cache
def _claiming(most_of_tenant: int | None, *, batches: bool, left: bool) -> ReturningUpdate[Any]:
    """The statement that claims, built once: building it costs more than running it."""
    idle = and_(jobs.c.lease_owner.is_(None), or_(jobs.c.wake, jobs.c.not_before <= now()))
    lost = jobs.c.lease_expires <= now()
    free = and_(jobs.c.finished_at.is_(None), or_(idle, lost))
    if not batches:
        free = and_(free, ~_in_batch(jobs))
    if left:
        free = and_(free, jobs.c.id.not_in(bindparam("left", expanding=True)))
    turns = _by_turn(free) if most_of_tenant is None else _fair(free, most_of_tenant)
    most = bindparam("most", type_=Integer())
    # In a CTE, so that PostgreSQL evaluates it once: as a subquery it may lock, and take, more than the limit.
    picked = turns.limit(most).with_for_update(of=jobs, skip_locked=True, key_share=True).cte("picked")
    return (
        update(jobs)
        .where(jobs.c.id.in_(select(picked.c.id)))
        .values(
            epoch=jobs.c.epoch + 1,
            attempt=jobs.c.attempt + case((jobs.c.lease_owner.is_(None), 0), else_=1),
            lease_owner=bindparam("owner", type_=jobs.c.lease_owner.type),
            lease_expires=later(bindparam("lease", type_=Double())),
            wake=false(),
            not_before=null(),
        )
        .returning(
            jobs.c.id, jobs.c.turn, jobs.c.cancel_requested, jobs.c.trace_id, jobs.c.traceparent, *_HEAD
        )
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


def _by_turn(free: ColumnElement[bool]) -> Select[Any]:
    return select(jobs.c.id).where(free).order_by(jobs.c.turn)


def _in_batch(table: FromClause) -> ColumnElement[bool]:
    return table.c.priority >= BATCH_PRIORITY


def _fair(free: ColumnElement[bool], most: int) -> Select[Any]:
    """Free jobs, those first whose tenant has the fewest in hand, counting the ones that would be taken before it."""
    # Counted once for each tenant, not for each job that waits: a long queue would be read as often as it is long.
    held = and_(jobs.c.finished_at.is_(None), jobs.c.lease_owner.is_not(None), jobs.c.lease_expires > now())
    taken = _materialized(held, "taken")
    in_hand = (
        select(taken.c.tenant, taken.c.in_batch, func.count().label("count"))
        .group_by(taken.c.tenant, taken.c.in_batch)
        .cte("in_hand")
    )
    waiting = _materialized(free, "waiting")
    ours = (waiting.c.tenant, waiting.c.in_batch)
    nth = func.row_number().over(partition_by=ours, order_by=waiting.c.turn) + func.coalesce(
        in_hand.c.count, 0
    )
    of_tenant = and_(in_hand.c.tenant == waiting.c.tenant, in_hand.c.in_batch == waiting.c.in_batch)
    ranked = (
        select(waiting.c.id, waiting.c.in_batch, nth.label("nth"))
        .select_from(waiting.outerjoin(in_hand, of_tenant))
        .subquery()
    )
    return (
        select(jobs.c.id)
        .join(ranked, ranked.c.id == jobs.c.id)
        # `free` again: PostgreSQL looks at a row anew when it locks it, for what is said here, and only for that.
        .where(ranked.c.nth <= most, free)
        .order_by(ranked.c.in_batch, ranked.c.nth, jobs.c.turn)
    )


def _materialized(which: ColumnElement[bool], name: str) -> CTE:
    """These jobs. Materialized, or else SQLite reads all jobs along an index by tenant for the sake of an order."""
    found = select(jobs.c.id, jobs.c.tenant, jobs.c.turn, _in_batch(jobs).label("in_batch")).where(which)
    return found.cte(name).prefix_with("MATERIALIZED")
