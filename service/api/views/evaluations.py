"""Describes evaluations: what clients send of them, and what they are shown."""

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from anabranch.dag.evaluation.report import ArmReport, Difference, Report, Trial
from anabranch.service.api.views.fields import JsonObject, Seconds, Seed, Sent, Tokens, WrittenText
from anabranch.service.api.views.job import Moment
from anabranch.service.api.views.requests import SentSampling
from anabranch.service.store.evaluations.evaluations import EvaluationRow

Label = Annotated[WrittenText, Field(max_length=200)]
RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
MOST_TASKS, MOST_ARMS = 5000, 32


class SentTask(Sent):
    id: Label
    question: WrittenText
    answer: str | None = None
    grader: Label = Field(examples=["math"])
    repeats: Annotated[str, Field(max_length=200)] = Field(
        default="", description="The id of the task that it asks once more, with another seed."
    )


class SentArm(Sent):
    label: Label
    policy: str
    params: JsonObject = Field(default={})
    model: WrittenText | None = None


class SentLimits(Sent):
    """What each trial may spend. What is left out is not limited."""

    tokens: Tokens | None = None
    seconds: Seconds | None = None
    cost: float | None = Field(default=None, ge=0)
    critical_path_tokens: Tokens | None = Field(
        default=None, description="An answer with a longer critical path counts as wrong."
    )


class EvaluationRequest(Sent):
    """A paired comparison: every arm answers every task, with the same seeds. The first arm is the baseline."""

    title: Label
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="Of all that is compared, graders included: the same name and digest are the same evaluation."
    )
    tasks: Annotated[list[SentTask], Field(min_length=1, max_length=MOST_TASKS)]
    arms: Annotated[list[SentArm], Field(min_length=1, max_length=MOST_ARMS)]
    seed: Seed = 0
    limits: SentLimits = SentLimits()
    sampling: SentSampling = SentSampling()

    @model_validator(mode="after")
    def _nothing_twice(self) -> "EvaluationRequest":
        for what, names in (
            ("tasks", [task.id for task in self.tasks]),
            ("arms", [arm.label for arm in self.arms]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"two {what} have the same name")
        return self


class TrialRequest(Sent):
    """The verdict on one trial, by whoever graded its answer."""

    task: Label
    arm: Label
    job: str
    score: float = Field(ge=0, le=1, description="1.0 is right.")
    detail: str = Field(default="", max_length=2000, description="Why it is not 1.0.")


class IntervalView(BaseModel):
    low: float
    high: float


class TrialView(BaseModel):
    task: str
    arm: str
    job: str
    status: str
    score: float
    detail: str
    critical_path_tokens: int
    total_tokens: int
    waste_tokens: int
    wall_seconds: float
    cost: float


class ArmView(BaseModel):
    """What an arm reached, and at what cost per trial; see `docs/evaluation.md`."""

    arm: str
    trials: int
    right: int
    accuracy: float
    interval: IntervalView = Field(description="Of the accuracy: Wilson's, 95 %.")
    mean_score: float
    critical_path_tokens: float
    total_tokens: float
    parallelism: float
    waste: float = Field(description="The share of all decoded tokens that no answer used.")
    wall_seconds: float
    median_wall_seconds: float
    cost: float
    jobs: list[str]


class DifferenceView(BaseModel):
    """An arm less the baseline, over the tasks that both were judged on."""

    arm: str
    baseline: str
    pairs: int
    gained: int = Field(description="Tasks that the arm alone has right.")
    lost: int = Field(description="Tasks that the baseline alone has right.")
    accuracy: float
    interval: IntervalView
    p_value: float = Field(description="McNemar's exact test; of repeated tasks, its form for them.")
    critical_path_tokens: float
    critical_path_interval: IntervalView
    speedup: float | None = Field(description="Mean T of the baseline over the arm's.")


class EvaluationSummary(BaseModel):
    run: str
    title: str
    tasks: int
    arms: list[str]
    judged: int = Field(description="Trials that have been judged, of tasks times arms.")
    created_at: Moment
    updated_at: Moment


class EvaluationList(BaseModel):
    items: list[EvaluationSummary]


class EvaluationView(EvaluationSummary):
    design: dict[str, Any] = Field(description="Tasks, arms, seed, limits and sampling, as they were sent.")
    reports: list[ArmView]
    differences: list[DifferenceView]
    frontiers: dict[str, list[str]] = Field(
        description="Of each cost: the arms that none beats in accuracy at the same cost or less, cheapest first."
    )
    trials: list[TrialView]


def summary(row: EvaluationRow) -> EvaluationSummary:
    return EvaluationSummary(**_head(row))


def evaluation_view(row: EvaluationRow, trials: list[Trial], found: Report) -> EvaluationView:
    return EvaluationView(
        **{**_head(row), "judged": len(trials)},
        design=dict(row.design),
        reports=[_arm(arm) for arm in found.arms],
        differences=[_difference(difference) for difference in found.differences],
        frontiers={axis: list(arms) for axis, arms in found.frontiers.items()},
        trials=[trial_view(trial) for trial in trials],
    )


def trial_view(trial: Trial) -> TrialView:
    return TrialView(**asdict(trial))


def _head(row: EvaluationRow) -> dict[str, Any]:
    return {
        "run": row.run,
        "title": row.design["title"],
        "tasks": len(row.design["tasks"]),
        "arms": [arm["label"] for arm in row.design["arms"]],
        "judged": row.judged,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _arm(arm: ArmReport) -> ArmView:
    return ArmView.model_validate(asdict(arm))


def _difference(difference: Difference) -> DifferenceView:
    return DifferenceView.model_validate(asdict(difference))
