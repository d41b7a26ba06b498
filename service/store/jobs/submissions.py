"""Writes a submitted job: the row, its first event and what is folded from it, in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Double, RowMapping, bindparam, insert, select

from anabranch.dag.events import JobSubmitted, Record
from anabranch.dag.job import BATCH_PRIORITY
from anabranch.service.store.codec import encode
from anabranch.service.store.errors import IdempotencyConflict
from anabranch.service.store.jobs.quotas import reserve
from anabranch.service.store.jobs.responses import insert_response
from anabranch.service.store.journal.records import JournalHead, chain_events, insert_links
from anabranch.service.store.projections.apply import row_of, write
from anabranch.service.store.projections.fold import fold
from anabranch.service.store.rows import Claim, JobRow, NewJob, Submitted, job_row
from anabranch.service.store.sql.clock import later
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.webhooks.endpoints import insert_endpoint

PRIORITY_SECONDS = 60.0
"""What one step of priority is worth: a job goes before one a step more urgent that came so much later."""
BEHIND_ALL = timedelta(days=36_500)
"""How much later the turn of a batch's job comes: no waiting makes up for it."""


_INSERT = insert(jobs).returning(*jobs.c)
_INSERT_CLAIMED = _INSERT.values(lease_expires=later(bindparam("lease_seconds", type_=Double())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """An organizer for which a job is claimed as it is submitted."""

    owner: str
    lease_seconds: float


def submit_all(
    connection: Connection, news: Sequence[NewJob], now: Callable[[], datetime], taker: Taker | None = None
) -> list[Submitted]:
    """All of them, or none. Raises as `submit`."""
    return [submit(connection, new, now, taker) for new in news]


def submit(
    connection: Connection, new: NewJob, now: Callable[[], datetime], taker: Taker | None = None
) -> Submitted:
    """Inserts the job with its first event, or finds the one that the same key and body made. A job that is made is
    claimed for the `taker` at once, where there is one.

    Raises IdempotencyConflict if the key was used with another body, QuotaSpent, and IntegrityError if the same key
    comes in twice at once: the other one's job is there then.
    """
    earlier = _made_before(connection, new)
    if earlier is not None:
        return Submitted(job=earlier, created=False)
    at = now()
    reserve(connection, new.tenant, new.quota, new.spec.budget, at)
    return _insert(connection, new, at, taker)


def turn_of(priority: int, at: datetime) -> datetime:
    """When it is the turn of a job that came at this time: those with an earlier turn are claimed before it."""
    behind = BEHIND_ALL if priority >= BATCH_PRIORITY else timedelta()
    return at + timedelta(seconds=PRIORITY_SECONDS * priority) + behind


def _made_before(connection: Connection, new: NewJob) -> JobRow | None:
    if new.idempotency_key is None:
        return None
    same_key = (jobs.c.tenant == new.tenant) & (jobs.c.idempotency_key == new.idempotency_key)
    found = connection.execute(select(jobs).where(same_key)).mappings().one_or_none()
    if found is None:
        return None
    if found["body_digest"] != new.body_digest:
        raise IdempotencyConflict(new.idempotency_key, found["id"])
    return job_row(found)


def _insert(connection: Connection, new: NewJob, at: datetime, taker: Taker | None) -> Submitted:
    submitted = encode(JobSubmitted(spec=new.spec, policy_version=new.policy_version, limits=new.limits))
    links, records = chain_events(new.id, 0, JournalHead(at=at), [submitted], at)
    changes = {change.table: change for change in fold(records)}
    job = {
        **row_of(new.id, changes.pop("jobs")),
        "tenant": new.tenant,
        "idempotency_key": new.idempotency_key,
        "body_digest": new.body_digest,
        "trace_id": new.trace_id,
        "traceparent": new.traceparent,
        "created_at": at,
        "turn": turn_of(new.spec.priority, at),
        "head_seq": links[-1].seq,
        "head_hash": links[-1].hash,
        "head_at": at,
    }
    if taker is None:
        made = connection.execute(_INSERT, job).mappings().one()
    else:
        lease = {"lease_seconds": taker.lease_seconds, "lease_owner": taker.owner}
        claimed = {**job, **lease, "epoch": 1, "wake": False}
        made = connection.execute(_INSERT_CLAIMED, claimed).mappings().one()
    insert_links(connection, links)
    write(connection, [(new.id, change) for change in changes.values()])
    if new.response is not None:
        insert_response(connection, new.id, new.response)
    if new.webhook is not None:
        insert_endpoint(connection, new.tenant, new.webhook, new.id)
    claim = None if taker is None else _claim_of(made, tuple(records))
    return Submitted(job=job_row(made), created=True, claim=claim)


def _claim_of(made: RowMapping, journal: tuple[Record, ...]) -> Claim:
    return Claim(
        job=made["id"],
        epoch=made["epoch"],
        attempt=made["attempt"],
        head_seq=made["head_seq"],
        head_hash=made["head_hash"],
        cancel_requested=None,
        trace_id=made["trace_id"],
        traceparent=made["traceparent"],
        journal=journal,
    )
