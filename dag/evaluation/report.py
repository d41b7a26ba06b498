"""Computes what an evaluation says of each arm, and of each arm against the first.

An arm's accuracy counts every trial of it that has been judged: a job that failed or went beyond its critical path is a
wrong answer. Trials of one task that is asked several times depend on each other: intervals and tests count tasks, not
trials, for what is independent. Differences count the tasks that both arms have been judged on. T, L and waste are as
`analysis/metrics.py` defines them; an arm's P is its whole L over its whole T.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TypeVar

from anabranch.dag.analysis.metrics import parallelism
from anabranch.dag.evaluation.statistics import Interval, clustered_wilson, interval_of_mean, sign_flips

Value = TypeVar("Value")
RIGHT = 1.0
"""The score from which an answer is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one task by one arm."""

    task: str
    arm: str
    job: str
    status: str
    score: float
    """0.0 to 1.0, as its grader judged."""
    detail: str = ""
    """Why it is not 1.0."""
    critical_path_tokens: int
    total_tokens: int
    waste_tokens: int
    wall_seconds: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReport:
    """What an arm reached, and at what cost per trial."""

    arm: str
    trials: int
    right: int
    accuracy: float
    interval: Interval
    """Of the accuracy: Wilson's, 95 %."""
    mean_score: float
    critical_path_tokens: float
    """Mean T."""
    total_tokens: float
    """Mean L."""
    parallelism: float
    waste: float
    """The share of all decoded tokens that no answer used."""
    wall_seconds: float
    """Mean, from claim to answer."""
    median_wall_seconds: float
    cost: float
    """Mean."""
    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An arm less the baseline, over the tasks that both were judged on."""

    arm: str
    baseline: str
    pairs: int
    gained: int
    """Tasks that the arm alone has right."""
    lost: int
    """Tasks that the baseline alone has right."""
    accuracy: float
    interval: Interval
    """Of the difference in accuracy, 95 %."""
    p_value: float
    """McNemar's exact test; where tasks are repeated, its form for them: each task's difference as a whole."""
    critical_path_tokens: float
    critical_path_interval: Interval
    """Of the mean difference in T, 95 %."""
    speedup: float | None
    """Mean T of the baseline over the arm's; None where the arm decoded nothing."""


AXES: Mapping[str, Callable[[ArmReport], float]] = {
    "critical_path_tokens": lambda arm: arm.critical_path_tokens,
    "total_tokens": lambda arm: arm.total_tokens,
    "wall_seconds": lambda arm: arm.wall_seconds,
    "cost": lambda arm: arm.cost,
}
"""What an accuracy is paid with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    arms: tuple[ArmReport, ...]
    differences: tuple[Difference, ...]
    frontiers: Mapping[str, tuple[str, ...]]
    """Of each of AXES: the arms that none beats in accuracy at the same cost or less, cheapest first."""


def is_right(trial: Trial, longest: int | None) -> bool:
    """Whether the answer is right, and not later than a critical path of `longest` tokens."""
    return trial.score >= RIGHT and (longest is None or trial.critical_path_tokens <= longest)


NO_REPEATS: Mapping[str, str] = {}


def report(
    arms: Sequence[str],
    trials: Sequence[Trial],
    *,
    seed: int,
    longest: int | None = None,
    repeats: Mapping[str, str] = NO_REPEATS,
) -> Report:
    """The report over the trials that have been judged. `seed` is the bootstrap's, `longest` the limit of T; `repeats`
    names of each task that asks another once more that other one."""
    by_arm = {arm: {trial.task: trial for trial in trials if trial.arm == arm} for arm in arms}
    told = tuple(_report_arm(arm, by_arm[arm], longest, repeats) for arm in arms)
    differences = tuple(
        _compare(arms[0], arm, by_arm[arms[0]], by_arm[arm], seed, longest, repeats) for arm in arms[1:]
    )
    frontiers = {axis: frontier([arm for arm in told if arm.trials], cost) for axis, cost in AXES.items()}
    return Report(arms=told, differences=differences, frontiers=frontiers)


def frontier(arms: Sequence[ArmReport], cost: Callable[[ArmReport], float]) -> tuple[str, ...]:
    """The arms on the Pareto frontier of accuracy against a cost, cheapest first."""
    best, found = -1.0, []
    for arm in sorted(arms, key=lambda arm: (cost(arm), -arm.accuracy, arm.arm)):
        if arm.accuracy > best:
            best = arm.accuracy
            found.append(arm.arm)
    return tuple(found)


def _report_arm(
    arm: str, by_task: Mapping[str, Trial], longest: int | None, repeats: Mapping[str, str]
) -> ArmReport:
    trials = list(by_task.values())
    rights = [(trial.task, is_right(trial, longest)) for trial in trials]
    right = sum(is_right(trial, longest) for trial in trials)
    path, total = (
        sum(trial.critical_path_tokens for trial in trials),
        sum(trial.total_tokens for trial in trials),
    )
    n = max(1, len(trials))
    return ArmReport(
        arm=arm,
        trials=len(trials),
        right=right,
        accuracy=right / n,
        interval=clustered_wilson(_cluster(rights, repeats)),
        mean_score=_mean([trial.score for trial in trials]),
        critical_path_tokens=path / n,
        total_tokens=total / n,
        parallelism=parallelism(total, path),
        waste=sum(trial.waste_tokens for trial in trials) / total if total else 0.0,
        wall_seconds=_mean([trial.wall_seconds for trial in trials]),
        median_wall_seconds=median([trial.wall_seconds for trial in trials] or [0.0]),
        cost=_mean([trial.cost for trial in trials]),
        jobs=tuple(trial.job for trial in trials),
    )


def _compare(
    baseline: str,
    arm: str,
    before: Mapping[str, Trial],
    after: Mapping[str, Trial],
    seed: int,
    longest: int | None,
    repeats: Mapping[str, str],
) -> Difference:
    tasks = sorted(before.keys() & after.keys())
    pairs = [(before[task], after[task]) for task in tasks]
    rights = [(is_right(old, longest), is_right(new, longest)) for old, new in pairs]
    steps = [(task, int(new) - int(old)) for task, (old, new) in zip(tasks, rights, strict=True)]
    paths = [(task, after[task].critical_path_tokens - before[task].critical_path_tokens) for task in tasks]
    gained, lost = rights.count((False, True)), rights.count((True, False))
    spent = sum(new.critical_path_tokens for _, new in pairs)
    return Difference(
        arm=arm,
        baseline=baseline,
        pairs=len(pairs),
        gained=gained,
        lost=lost,
        accuracy=_mean([step for _, step in steps]),
        interval=interval_of_mean([_mean(cluster) for cluster in _cluster(steps, repeats)], seed),
        p_value=sign_flips([sum(cluster) for cluster in _cluster(steps, repeats)]),
        critical_path_tokens=_mean([path for _, path in paths]),
        critical_path_interval=interval_of_mean(
            [_mean(cluster) for cluster in _cluster(paths, repeats)], seed
        ),
        speedup=sum(old.critical_path_tokens for old, _ in pairs) / spent if spent else None,
    )


def _cluster(told: Iterable[tuple[str, Value]], repeats: Mapping[str, str]) -> list[list[Value]]:
    """What is told of tasks, those together that ask the same."""
    found = dict[str, list[Value]]()
    for task, value in told:
        found.setdefault(repeats.get(task) or task, []).append(value)
    return list(found.values())


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0
