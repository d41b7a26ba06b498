"""Writes what webhooks are to tell, in the transaction that writes the events which they tell of.

So a webhook is there exactly if its event is, whoever dies. A **message** has the id of its event, and is the same for
every endpoint; a **delivery** is a message for one endpoint. Messages are thin: they say which job it is and what
became of it, and the answer is asked for by who may read it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    insert,
    select,
    union_all,
)

from anabranch.dag import events as e
from anabranch.dag.status import JobStatus
from anabranch.service.store.identity import approval_id, new_id
from anabranch.service.store.sql.clock import now
from anabranch.service.store.sql.columns import utc_text
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.sql.webhook_tables import webhook_deliveries, webhook_endpoints

STARTED = "job.started"
AWAITING_APPROVAL = "job.awaiting_approval"
COMPLETED = "job.completed"
FAILED = "job.failed"
CANCELLED = "job.cancelled"
TYPES = (STARTED, AWAITING_APPROVAL, COMPLETED, FAILED, CANCELLED)
FIRST_CLAIM_SEQ = 2
"""Behind JobSubmitted; each later organizer claims the job, too, and does not start it."""
MOST_METADATA = 4000
"""Characters of a job's metadata that are told; more are left out whole."""

_STATUS = {
    STARTED: JobStatus.RUNNING,
    AWAITING_APPROVAL: JobStatus.WAITING,
    COMPLETED: JobStatus.SUCCEEDED,
    FAILED: JobStatus.FAILED,
    CANCELLED: JobStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Told:
    """An event of which webhooks tell."""

    type: str
    record: e.Record

    @property
    def message(self) -> str:
        """Its id: whoever gets it twice knows it by that."""
        return f"msg_{self.record.job}_{self.record.seq}"


def find_told(records: Iterable[e.Record]) -> list[Told]:
    """Those of these records of which webhooks tell."""
    return [Told(kind, record) for record in records if (kind := _type_of(record)) is not None]


def write_deliveries(connection: Connection, told: Sequence[Told]) -> None:
    """Writes a delivery for each endpoint that listens."""
    if not told:
        return
    listening = (
        connection.execute(_listening(), {"told": list({one.record.job for one in told})}).mappings().all()
    )
    rows = [
        {
            "id": new_id(),
            "message": one.message,
            "endpoint": row["endpoint"],
            "job_id": one.record.job,
            "type": one.type,
            "body": _body(one, row),
            "created_at": now(),
            "due": now(),
        }
        for one in told
        for row in listening
        if row["job"] == one.record.job and (not row["events"] or one.type in row["events"])
    ]
    for row in rows:
        connection.execute(insert(webhook_deliveries).values(row))


def _type_of(record: e.Record) -> str | None:
    match record.event:
        case e.JobClaimed() if record.seq == FIRST_CLAIM_SEQ:
            return STARTED
        case e.ApprovalRequested():
            return AWAITING_APPROVAL
        case e.JobSucceeded():
            return COMPLETED
        case e.JobFailed():
            return FAILED
        case e.JobCancelled():
            return CANCELLED
        case _:
            return None


@cache
def _listening() -> CompoundSelect[Any]:
    """Each of the jobs that are `told` of, with each endpoint that hears of it. Built once: that takes ten times as
    long as to run it."""
    of_tenant = and_(webhook_endpoints.c.job_id.is_(None), webhook_endpoints.c.tenant == jobs.c.tenant)
    # Two queries in one, each with an index of its own: jobs may have named very many endpoints.
    return union_all(*(_heard(hears) for hears in (webhook_endpoints.c.job_id == jobs.c.id, of_tenant)))


def _heard(hears: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            webhook_endpoints.c.id.label("endpoint"),
            webhook_endpoints.c.events,
            jobs.c.id.label("job"),
            jobs.c.policy,
            jobs.c.created_at,
            jobs.c.started_at,
            jobs.c.finished_at,
            jobs.c.prompt_tokens,
            jobs.c.completion_tokens,
            jobs.c.cost,
            jobs.c.spec["metadata"].label("metadata"),
        )
        .select_from(jobs)
        .join(webhook_endpoints, hears)
        .where(jobs.c.id.in_(bindparam("told", expanding=True)), webhook_endpoints.c.disabled_at.is_(None))
    )


def _body(told: Told, row: RowMapping) -> str:
    """What is sent, letter by letter: its signature covers these bytes."""
    at = told.record.at
    job = {
        "id": told.record.job,
        "status": _STATUS[told.type],
        "policy": row["policy"],
        "metadata": _metadata(row["metadata"]),
        "created_at": utc_text(row["created_at"]),
        "started_at": None if row["started_at"] is None else utc_text(row["started_at"]),
        "finished_at": None if row["finished_at"] is None else utc_text(row["finished_at"]),
        "usage": {name: row[name] for name in ("prompt_tokens", "completion_tokens", "cost")},
    }
    told_of = {"type": told.type, "timestamp": utc_text(at), "data": job | _more(told.record)}
    return json.dumps(told_of, separators=(",", ":"), ensure_ascii=True)


def _more(record: e.Record) -> dict[str, Any]:
    match record.event:
        case e.ApprovalRequested(approval=ordinal, gate=gate):
            found = {
                "id": approval_id(record.job, ordinal, record.at),
                "gate": gate,
                "branch": record.event.branch,
            }
            return {"approval": found}
        case e.JobFailed(type=kind, title=title):
            return {"error": {"type": kind, "title": title}}
        case _:
            return {}


def _metadata(metadata: Any) -> Any:
    return metadata if len(json.dumps(metadata)) <= MOST_METADATA else None
