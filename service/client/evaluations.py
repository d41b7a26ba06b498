"""Describes evaluations as the service tells them, typed."""

from datetime import datetime

from anabranch.service.client.results import Json, Told


class Interval(Told):
    low: float
    high: float


class Trial(Told):
    """What came of one task by one arm: one job."""

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


class ArmReport(Told):
    """What an arm (a policy with its parameters) reached, and at what cost per trial."""

    arm: str
    trials: int
    right: int
    accuracy: float
    interval: Interval
    mean_score: float
    critical_path_tokens: float
    total_tokens: float
    parallelism: float
    waste: float
    wall_seconds: float
    median_wall_seconds: float
    cost: float
    jobs: tuple[str, ...]


class ArmDifference(Told):
    """An arm less the baseline, over the tasks that both were judged on."""

    arm: str
    baseline: str
    pairs: int
    gained: int
    lost: int
    accuracy: float
    interval: Interval
    p_value: float
    critical_path_tokens: float
    critical_path_interval: Interval
    speedup: float | None


class EvaluationSummary(Told):
    run: str
    title: str
    tasks: int
    arms: tuple[str, ...]
    judged: int
    created_at: datetime
    updated_at: datetime


class Evaluation(EvaluationSummary):
    """All of an evaluation, as far as it has been judged."""

    design: Json
    reports: tuple[ArmReport, ...]
    differences: tuple[ArmDifference, ...]
    frontiers: dict[str, tuple[str, ...]]
    trials: tuple[Trial, ...]


class Evaluations(Told):
    items: tuple[EvaluationSummary, ...]
