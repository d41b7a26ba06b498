"""Makes the rows of the jobs that a request asks for."""

import hashlib
from dataclasses import replace

from pydantic import BaseModel

from anabranch.dag.job import JobSpec
from anabranch.dag.journal.chain import canonical
from anabranch.dag.policy import policy_named
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.store.rows import NewJob, NewResponse
from anabranch.service.store.webhooks.rows import NewWebhook
from anabranch.service.telemetry.ids import read_traceparent
from anabranch.service.tenants.callers import Caller


def numbered(key: str | None, number: int) -> str | None:
    """The key of each of a request's jobs. No client's own key has a blank in it."""
    return key if key is None or number == 0 else f"{key} {number}"


def make_job(
    deps: Dependencies,
    caller: Caller,
    spec: JobSpec,
    *,
    traceparent: str | None = None,
    key: str | None = None,
    digest: str | None = None,
    response: NewResponse | None = None,
    webhook: NewWebhook | None = None,
) -> NewJob:
    """The job that is to be submitted for the caller, within its budget."""
    trace = read_traceparent(traceparent)
    return NewJob(
        spec=replace(spec, budget=caller.bound(spec.budget)),
        tenant=caller.tenant,
        quota=caller.quota,
        policy_version=policy_named(spec.policy).version,
        limits=deps.settings.limits(spec.model),
        trace_id=trace.trace_id,
        traceparent=traceparent if trace.span_id else None,
        idempotency_key=key,
        body_digest=digest,
        response=response,
        webhook=webhook,
    )


def digest_of(sent: BaseModel) -> str:
    """Equal bodies have equal digests, however their JSON was written."""
    return hashlib.sha256(canonical(sent.model_dump(mode="json", exclude_unset=True)).encode()).hexdigest()
