"""Defines what goes into the store and comes out of it, besides events: frozen rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import RowMapping

from anabranch.dag.decoding import Usage
from anabranch.dag.events import Record
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.status import BranchStatus, JobStatus
from anabranch.dag.text import say
from anabranch.service.store.codec import spec_from_json
from anabranch.service.store.identity import new_id
from anabranch.service.store.jobs.quotas import NO_QUOTA, Quota
from anabranch.service.store.webhooks.rows import NewWebhook

Columns = RowMapping

UNREADABLE = "unreadable"
"""Key in the metadata of a listed job whose spec cannot be read; its value tells why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResponse:
    """What makes a job a response of the Responses API."""

    request: Mapping[str, Any]
    """As it was sent."""
    previous: JobId | None
    """The response that it goes on from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be submitted."""

    spec: JobSpec
    policy_version: str
    trace_id: str
    """32 hex digits."""
    traceparent: str | None = None
    """The request's own header."""
    id: JobId = field(default_factory=new_id)
    limits: Limits = Limits()
    tenant: str = "default"
    quota: Quota = NO_QUOTA
    idempotency_key: str | None = None
    body_digest: str | None = None
    """Of the request that carried the key: the same key with another digest is a conflict."""
    response: NewResponse | None = None
    """Set where the job is to be found again as a response."""
    webhook: NewWebhook | None = None
    """Who hears of this job alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job as it stands."""

    id: JobId
    tenant: str
    status: JobStatus
    spec: JobSpec
    policy_version: str
    answer: Mapping[str, Any] | None
    """`text`, `sources` and `forced`. None until the job has succeeded."""
    error: Mapping[str, Any] | None
    """`type`, `title` and `detail` of a failed job."""
    usage: Usage
    cost: float
    metrics: Mapping[str, Any] | None
    """As given with the last append."""
    trace_id: str
    traceparent: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    """From 1; one more for every organizer that was lost."""
    epoch: int
    head_seq: int
    head_hash: str
    cancel_requested: str | None
    """The reason, once somebody asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    job: JobRow
    created: bool
    """False where the same key and body had made the job before."""
    claim: "Claim | None" = None
    """The taker's, where the job was made for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job in this organizer's hands until the lease ends or another one claims it."""

    job: JobId
    epoch: int
    """Goes with every append; once it is no longer the job's own, appends are refused."""
    attempt: int
    head_seq: int
    head_hash: str
    cancel_requested: str | None
    trace_id: str = ""
    traceparent: str | None = None
    journal: tuple[Record, ...] = ()
    """Of a job that nobody has claimed before: all that there is of it. Empty otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """What the store knows of a job in one's hands."""

    epoch: int
    woken: bool
    """Something happened to it since it was claimed: an approval was decided, a cancel was asked for."""
    cancel_requested: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchRow:
    """A branch as it stands."""

    branch: BranchId
    parent: BranchId | None
    role: str
    label: str
    policy: str | None
    model: str | None
    tool: str | None
    status: BranchStatus
    attempts: int
    replica: str | None
    """Where it decoded last."""
    usage: Usage
    cost: float
    value: str | None
    cause: str | None
    """Why it failed or was cancelled."""
    consumed_by: BranchId | None
    """The first branch that joined or merged it."""
    forked_at: datetime
    started_at: datetime | None
    first_token_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRow:
    """A gate at which a person decides."""

    id: str
    job: JobId
    ordinal: int
    branch: BranchId
    gate: str
    subject: str
    requested_at: datetime
    expires_at: datetime | None
    at_timeout: str
    """The decision that is taken then."""
    decision: str | None
    edit: str | None
    decided_by: str | None
    reason: str | None
    decided_at: datetime | None
    recorded: bool
    """The decision is in the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The text so far of a branch's open segment; its tokens, and its second decode's, thoughts included."""

    branch: BranchId
    segment: int
    attempt: int
    text: str
    tokens: int
    thought: str = ""
    reasoning_tokens: int = 0
    second_tokens: int = 0
    second_reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing."""

    items: tuple[JobRow, ...]
    next_cursor: str | None


def usage_of(row: Columns) -> Usage:
    return Usage(
        prompt_tokens=row["prompt_tokens"],
        cached_tokens=row["cached_tokens"],
        completion_tokens=row["completion_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
    )


def job_row(row: Columns) -> JobRow:
    return _job_row(row, spec_from_json(row["spec"]))


def listed_job_row(row: Columns) -> JobRow:
    """Gives the same, and where this release cannot read the spec, one made of the columns, marked in its metadata."""
    try:
        return job_row(row)
    except (ValidationError, RecursionError) as error:
        why = f"this release cannot read what was asked ({type(error).__name__}); its journal is kept"
        spec = JobSpec(
            messages=(say("user", row["question"]),),
            policy=row["policy"],
            priority=row["priority"],
            metadata={UNREADABLE: why},
        )
        return _job_row(row, spec)


def _job_row(row: Columns, spec: JobSpec) -> JobRow:
    status = JobStatus(row["status"])
    return JobRow(
        id=row["id"],
        tenant=row["tenant"],
        status=status,
        spec=spec,
        policy_version=row["policy_version"],
        # It is written with AnswerCommitted, and shown once the job's own end is.
        answer=row["answer"] if status is JobStatus.SUCCEEDED else None,
        error=row["error"],
        usage=usage_of(row),
        cost=row["cost"],
        metrics=row["metrics"],
        trace_id=row["trace_id"],
        traceparent=row["traceparent"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        attempt=row["attempt"],
        epoch=row["epoch"],
        head_seq=row["head_seq"],
        head_hash=row["head_hash"],
        cancel_requested=row["cancel_requested"],
    )


def branch_row(row: Columns) -> BranchRow:
    return BranchRow(
        branch=row["branch"],
        parent=row["parent"],
        role=row["role"],
        label=row["label"],
        policy=row["policy"],
        model=row["model"],
        tool=row["tool"],
        status=BranchStatus(row["status"]),
        attempts=row["attempts"],
        replica=row["replica"],
        usage=usage_of(row),
        cost=row["cost"],
        value=row["value"],
        cause=row["cause"],
        consumed_by=row["consumed_by"],
        forked_at=row["forked_at"],
        started_at=row["started_at"],
        first_token_at=row["first_token_at"],
        finished_at=row["finished_at"],
    )


def approval_row(row: Columns) -> ApprovalRow:
    seconds = row["timeout_seconds"]
    return ApprovalRow(
        id=row["id"],
        job=row["job_id"],
        ordinal=row["ordinal"],
        branch=row["branch"],
        gate=row["gate"],
        subject=row["subject"],
        requested_at=row["requested_at"],
        expires_at=None if seconds is None else row["requested_at"] + timedelta(seconds=seconds),
        at_timeout=row["at_timeout"],
        decision=row["decision"],
        edit=row["edit"],
        decided_by=row["decided_by"],
        reason=row["reason"],
        decided_at=row["decided_at"],
        recorded=row["recorded"],
    )
