"""Rows of jobs as the store gives them."""

from datetime import UTC, datetime
from typing import Any

from anabranch.dag.decoding import Usage
from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.status import JobStatus
from anabranch.dag.text import say
from anabranch.service.store.rows import JobRow

JOB = JobId("01900000-0000-7000-8000-000000000001")
AT = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


def job_row(**told: Any) -> JobRow:
    told = {"status": JobStatus.QUEUED, "answer": None, "error": None} | told
    return JobRow(
        id=JOB,
        tenant="default",
        spec=JobSpec(messages=(say("user", "Why?"),), policy="sequential"),
        policy_version="v1",
        usage=Usage(prompt_tokens=20, completion_tokens=10),
        cost=0.0,
        metrics=None,
        trace_id="ab" * 16,
        traceparent=None,
        created_at=AT,
        started_at=AT,
        finished_at=AT,
        attempt=1,
        epoch=1,
        head_seq=9,
        head_hash="",
        cancel_requested=None,
        **told,
    )
