"""Serves evaluations: keeps what is compared and each verdict, and computes what they say."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Response

from anabranch.dag.evaluation.report import Report, Trial, report
from anabranch.dag.ids import JobId
from anabranch.service.api.auth import CurrentCaller
from anabranch.service.api.body import JsonRoute
from anabranch.service.api.live.dependencies import Injected
from anabranch.service.api.problems import Fault, Refusal, Refused, bad_input, problems
from anabranch.service.api.routes.jobs import make_spec
from anabranch.service.api.views.evaluations import (
    EvaluationList,
    EvaluationRequest,
    EvaluationSummary,
    EvaluationView,
    RunName,
    TrialRequest,
    TrialView,
    evaluation_view,
    summary,
    trial_view,
)
from anabranch.service.api.views.requests import JobRequest, PolicyChoice
from anabranch.service.store.evaluations.evaluations import EvaluationRow

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"], route_class=JsonRoute)
Run = Annotated[RunName, Path(description="The evaluation's name.")]


@router.get("", responses=problems())
async def list_evaluations(deps: Injected, caller: CurrentCaller) -> EvaluationList:
    """The newest hundred evaluations."""
    rows = await deps.store.evaluations.list_newest(caller.scope)
    return EvaluationList(items=[summary(row) for row in rows])


@router.put("/{run}", responses={201: {"model": EvaluationSummary}, **problems(400, 409, 413, 415)})
async def create_evaluation(
    run: Run, sent: EvaluationRequest, response: Response, deps: Injected, caller: CurrentCaller
) -> EvaluationSummary:
    """Keep what an evaluation compares, once its policies, parameters and models are found good. The same again changes
    nothing; jobs are submitted by whoever runs it."""
    for number, arm in enumerate(sent.arms):
        where = f"arms.{number}.params"
        asked = JobRequest(
            question="…",
            messages=None,
            approvals=[],
            policy=PolicyChoice(name=arm.policy, params=arm.params),
            model=arm.model,
            sampling=sent.sampling,
        )
        spec = make_spec(asked, deps.settings, params_at=where)
        if deps.served is not None:
            await deps.served.check_spec(spec, where)
    design = sent.model_dump(mode="json", exclude={"digest"})
    if await deps.store.evaluations.create(caller.tenant, run, sent.digest, design):
        response.status_code = 201
    return summary(await deps.store.evaluations.get(run, caller.tenant))


@router.get("/{run}", responses=problems(404))
async def get_evaluation(run: Run, deps: Injected, caller: CurrentCaller) -> EvaluationView:
    """All of an evaluation, as far as it has been judged: its table, its differences, its trials with their jobs."""
    row = await deps.store.evaluations.get(run, caller.scope)
    trials = await deps.store.evaluations.list_trials(row)
    return evaluation_view(row, trials, await asyncio.to_thread(_report, row, trials))


@router.post("/{run}/trials", responses=problems(400, 404, 409, 413, 415))
async def judge_trial(run: Run, sent: TrialRequest, deps: Injected, caller: CurrentCaller) -> TrialView:
    """Keep the verdict on the answer of an ended job; what the job cost is read from it. A later verdict on the same
    trial takes its place."""
    row = await deps.store.evaluations.get(run, caller.scope)
    _check_place(row, sent)
    job = await deps.store.jobs.get(JobId(sent.job), caller.scope)
    if job.finished_at is None:
        detail = f"Job {job.id} is {job.status}. Wait for its end, then tell its verdict."
        raise Refused(Refusal(status=409, name="not-ended", title="The job has not ended", detail=detail))
    trial = await deps.store.evaluations.judge(row, sent.task, sent.arm, job, sent.score, sent.detail)
    return trial_view(trial)


def _check_place(row: EvaluationRow, sent: TrialRequest) -> None:
    """Raises Refused for a task or an arm that the evaluation does not have."""
    known = {
        "task": {task["id"] for task in row.design["tasks"]},
        "arm": {arm["label"] for arm in row.design["arms"]},
    }
    faults = [
        Fault(path=name, message=f"evaluation {row.run} has no {name} {told[:100]!r}")
        for name, told in (("task", sent.task), ("arm", sent.arm))
        if told not in known[name]
    ]
    if faults:
        raise bad_input(faults)


def _report(row: EvaluationRow, trials: list[Trial]) -> Report:
    arms = [arm["label"] for arm in row.design["arms"]]
    longest = row.design["limits"]["critical_path_tokens"]
    repeats = {task["id"]: task.get("repeats", "") for task in row.design["tasks"]}
    return report(arms, trials, seed=row.design["seed"], longest=longest, repeats=repeats)
