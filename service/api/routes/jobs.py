"""Serves jobs: submit, list, look, cancel, and run again with an edit."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ValidationError

from anabranch.dag.decoding.tools import Tools
from anabranch.dag.errors import UnknownPolicy
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.job import BATCH_PRIORITY, AnswerFormat, JobSpec, Lineage, Sampling
from anabranch.dag.policy import catalogue, policy_named
from anabranch.service.api import intake
from anabranch.service.api.auth import CurrentCaller
from anabranch.service.api.body import JsonRoute
from anabranch.service.api.live.dependencies import Dependencies, Injected
from anabranch.service.api.live.news import wait_until_over
from anabranch.service.api.live.queueing import waits_of_jobs
from anabranch.service.api.new_jobs import digest_of, make_job, numbered
from anabranch.service.api.problems import Fault, Refusal, Refused, bad_input, faults_of, problems
from anabranch.service.api.views.job import JobView, job_view
from anabranch.service.api.views.requests import JobRequest, PolicyChoice, ReplayRequest
from anabranch.service.policies import BadParams, check_params
from anabranch.service.settings import Settings
from anabranch.service.store.errors import NotFound
from anabranch.service.store.rows import NewJob, NewResponse, Submitted
from anabranch.service.store.webhooks.rows import NewWebhook
from anabranch.service.tenants.callers import Caller

LONGEST_WAIT = 600.0
DRAWN_SEEDS = 2**31
IdempotencyKey = Annotated[
    str | None,
    Header(max_length=255, pattern=r"^[\x21-\x7e]+$", description="The same key and body give the same job."),
]
Traceparent = Annotated[str | None, Header(description="W3C: the job's trace becomes part of the caller's.")]

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=JsonRoute)


@router.post("", status_code=202, responses={200: {"model": JobView}, **problems(400, 409, 413, 415, 429)})
async def submit(
    sent: JobRequest,
    response: Response,
    deps: Injected,
    caller: CurrentCaller,
    idempotency_key: IdempotencyKey = None,
    traceparent: Traceparent = None,
) -> JobView:
    """Submit a job. It is durable before this answers 202; the same key and body again answer 200 with the same job."""
    spec = make_spec(sent, deps.settings)
    webhook = sent.webhook.as_new(deps.settings) if sent.webhook is not None else None
    submitted = await submit_spec(deps, caller, spec, idempotency_key, sent, traceparent, webhook=webhook)
    if not submitted.created:
        response.status_code = 200
    response.headers["Location"] = f"/v1/jobs/{submitted.job.id}"
    return job_view(submitted.job)


@router.get("/{job}", responses=problems(404))
async def get_job(
    job: JobId,
    deps: Injected,
    wait: Annotated[
        float | None, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for its end.")
    ] = None,
) -> JobView:
    """One job, now; or, with `wait`, when it has ended or the time is over."""
    row = await deps.store.jobs.get(job)
    if wait and row.finished_at is None:
        await wait_until_over(deps.feed, job, row.head_seq, wait)
        row = await deps.store.jobs.get(job)
    return job_view(row, (await waits_of_jobs(deps, [row])).get(job))


@router.post("/{job}/cancel", status_code=202, responses=problems(404))
async def cancel(job: JobId, deps: Injected) -> JobView:
    """Ask that a job stops. Idempotent; a job that has ended stays as it is."""
    await deps.store.jobs.request_cancel(job, "asked for by a client")
    deps.organizers.nudge(job)
    return job_view(await deps.store.jobs.get(job))


@router.post("/{job}/replay", status_code=202, responses=problems(400, 404, 409, 413, 415, 429))
async def replay(
    job: JobId,
    sent: ReplayRequest,
    response: Response,
    deps: Injected,
    caller: CurrentCaller,
    traceparent: Traceparent = None,
) -> JobView:
    """Run a job again as if this branch had returned something else. The new job reuses what does not depend on it."""
    row = await deps.store.jobs.get(job)
    if row.finished_at is None:
        detail = f"Job {job} is {row.status}. Wait for its end, or cancel it."
        raise Refused(Refusal(status=409, name="not-ended", title="The job has not ended", detail=detail))
    if sent.branch not in {found.branch for found in await deps.store.jobs.list_branches(job)}:
        raise NotFound("branch", f"{sent.branch} in job {job}")
    lineage = Lineage(job=job, branch=BranchId(sent.branch), output=sent.output)
    again = replace(row.spec, lineage=lineage, priority=row.spec.priority % BATCH_PRIORITY)
    submitted = await submit_spec(deps, caller, again, None, sent, traceparent)
    response.headers["Location"] = f"/v1/jobs/{submitted.job.id}"
    return job_view(submitted.job)


def make_spec(
    sent: JobRequest,
    settings: Settings,
    *,
    params_at: str = "policy.params",
    format_at: str = "answer_format",
    logprobs_at: str = "answer_format.logprobs",
    tools_at: str = "tools",
) -> JobSpec:
    """The spec that the request asks for. Raises Refused for a policy or a parameter that does not exist, and for
    what the policy cannot do: a form of the answer, logprobs, tools. The other arguments are where these stand in the
    body."""
    policy = sent.policy or PolicyChoice(name=settings.policy)
    default = Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=settings.max_tokens,
        keep_tokens=settings.keep_tokens,
    )
    params = _params(policy, params_at)
    return JobSpec(
        messages=sent.conversation(),
        raw=sent.raw,
        policy=policy.name,
        params=params,
        budget=sent.budget.as_budget(),
        sampling=sent.sampling.over(default),
        seed=secrets.randbelow(DRAWN_SEEDS) if sent.seed is None else sent.seed,
        model=sent.model,
        priority=sent.priority,
        approvals=tuple(sent.approvals),
        metadata=sent.metadata,
        answer_format=replace(
            _answer_format(sent, policy.name, format_at),
            tools=_tools(sent, policy.name, tools_at),
            logprobs=_logprobs(sent, policy.name, logprobs_at),
        ),
    )


def _answer_format(sent: JobRequest, policy: str, where: str) -> AnswerFormat:
    """Stop strings cut any answer; a form or a limit needs a policy that knows which decode writes the answer."""
    asked = sent.answer_format.as_format()
    if (asked.structure or asked.max_tokens) and not policy_named(policy).marks_answer:
        able = ", ".join(sorted(name for name, info in catalogue().items() if info.marks_answer))
        message = f"{policy} composes its answer of parts, so it cannot hold it to a form; these policies can: {able}"
        raise bad_input([Fault(path=where, message=message)])
    return asked


def _logprobs(sent: JobRequest, policy: str, where: str) -> int | None:
    """Logprobs are those of one decode."""
    asked = sent.answer_format.logprobs
    if asked is not None and not policy_named(policy).marks_answer:
        able = ", ".join(sorted(name for name, info in catalogue().items() if info.marks_answer))
        message = f"{policy} composes its answer of parts: no one decode has its logprobs; these policies can: {able}"
        raise bad_input([Fault(path=where, message=message)])
    return asked


def _tools(sent: JobRequest, policy: str, where: str) -> Tools | None:
    """Tools need a policy that passes on what its last thought calls."""
    offered = sent.offered()
    if offered is not None and not policy_named(policy).may_call:
        able = ", ".join(sorted(name for name, info in catalogue().items() if info.may_call))
        message = f"the answer of {policy} is text alone and calls no tools; these policies can: {able}"
        raise bad_input([Fault(path=where, message=message)])
    return offered


def _params(policy: PolicyChoice, where: str) -> dict[str, object]:
    try:
        return check_params(policy.name, policy.params)
    except UnknownPolicy as error:
        raise bad_input([Fault(path="policy.name", message=str(error))]) from error
    except ValidationError as error:
        raise bad_input(faults_of(error, under=where)) from error
    except BadParams as error:
        raise bad_input([Fault(path=where, message=str(error))]) from error


async def submit_spec(
    deps: Dependencies,
    caller: Caller,
    spec: JobSpec,
    key: str | None,
    sent: BaseModel,
    traceparent: str | None,
    *,
    response: NewResponse | None = None,
    webhook: NewWebhook | None = None,
    params_at: str = "policy.params",
) -> Submitted:
    """Make the caller's job durable, within its quota, and as a response where it is one.

    Raises QuotaSpent, IdempotencyConflict and StoreAway, and Refused for a model that no pool serves; `params_at` is
    where the policy's parameters stand in the body.
    """
    (submitted,) = await submit_specs(
        deps,
        caller,
        [spec],
        key,
        sent,
        traceparent,
        response=response,
        webhook=webhook,
        params_at=params_at,
    )
    return submitted


async def submit_specs(
    deps: Dependencies,
    caller: Caller,
    specs: Sequence[JobSpec],
    key: str | None,
    sent: BaseModel,
    traceparent: str | None,
    *,
    response: NewResponse | None = None,
    webhook: NewWebhook | None = None,
    params_at: str = "policy.params",
) -> list[Submitted]:
    """The same for several jobs of one request: all of them are made, or none."""
    if deps.served is not None:
        try:
            await deps.served.check_spec(specs[0], params_at)
        except Refused:  # what was taken once is told again, though its model has gone since
            if key is None or not await deps.store.jobs.has_key(caller.tenant, key):
                raise
    digest = digest_of(sent) if key else None
    make = partial(
        make_job, deps, caller, traceparent=traceparent, digest=digest, response=response, webhook=webhook
    )
    news = [make(spec, key=numbered(key, number)) for number, spec in enumerate(specs)]
    submitted = await _submit(deps, news)
    intake.submitted()
    for each in submitted:
        if each.claim is None:
            deps.organizers.nudge(each.job.id)
    return submitted


async def _submit(deps: Dependencies, news: Sequence[NewJob]) -> list[Submitted]:
    """Makes them durable; where an organizer of this process has room for them, claimed for it."""
    taker = deps.first_hand.promise(len(news)) if deps.first_hand is not None else None
    submitted: list[Submitted] = []
    try:
        submitted = await deps.store.jobs.submit_all(news, taker)
    finally:
        if deps.first_hand is not None and taker is not None:
            deps.first_hand.give(len(news), [each.claim for each in submitted if each.claim is not None])
    return submitted
