"""Builds the statement that claims jobs: which of them are free, and whose turn is first."""

from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from anabranch.dag.job import BATCH_PRIORITY
from anabranch.service.store.sql.clock import later, now
from anabranch.service.store.sql.tables import jobs


@cache
def build_claim(most_of_tenant: int | None, *, batches: bool, left: bool) -> ReturningUpdate[Any]:
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
            jobs.c.id,
            jobs.c.turn,
            jobs.c.epoch,
            jobs.c.attempt,
            jobs.c.head_seq,
            jobs.c.head_hash,
            jobs.c.cancel_requested,
            jobs.c.trace_id,
            jobs.c.traceparent,
        )
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
