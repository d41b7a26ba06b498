"""Writes the page of evidence: tables of what was measured, and words that follow from their numbers by fixed rules.

A policy is said to help, or to hurt, only where the 95 % interval of the paired difference leaves out zero and the
exact test agrees, at a level that is shared among all comparisons of a table (Bonferroni).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from anabranch.dag.evaluation.report import ArmReport, Difference, Report, Trial, report
from anabranch.dag.evaluation.statistics import Interval, interval_of_mean

SEED = 0
WHOLE = "all sets"
LEVEL = 0.05
UNSHOWN = "no difference shown"
SAVERS = {"self-consistency:n=4": ("window", "deep-conf")}
"""Policies that draw at most the samples of this one, and promise the same answers for fewer tokens."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One model on one set, or on all of them."""

    model: str
    name: str
    tasks: int
    trials: Sequence[Trial]
    """Of the questions that all policies have answered."""
    table: Report

    def of(self, arm: str) -> Mapping[str, Trial]:
        return {trial.task: trial for trial in self.trials if trial.arm == arm}


def measure(lines: Sequence[Mapping[str, Any]], arms: Sequence[str]) -> Iterator[Measured]:
    """Each model on each set, then on all sets together."""
    for model in dict.fromkeys(line["model"] for line in lines):
        whole = list[Trial]()
        names = list(dict.fromkeys(line["set"] for line in lines if line["model"] == model))
        for name in names:
            trials = [_trial(line) for line in lines if (line["model"], line["set"]) == (model, name)]
            answered = _answered_by_all(trials, arms)
            whole += answered
            yield _measured(model, name, answered, arms)
        if len(names) > 1:
            yield _measured(model, WHOLE, whole, arms)


def _measured(model: str, name: str, trials: Sequence[Trial], arms: Sequence[str]) -> Measured:
    tasks = len({trial.task for trial in trials})
    return Measured(model=model, name=name, tasks=tasks, trials=trials, table=report(arms, trials, seed=SEED))


def _answered_by_all(trials: Sequence[Trial], arms: Sequence[str]) -> list[Trial]:
    by_task = dict[str, set[str]]()
    for trial in trials:
        by_task.setdefault(trial.task, set()).add(trial.arm)
    return [trial for trial in trials if by_task[trial.task] >= set(arms) and trial.arm in arms]


def _trial(line: Mapping[str, Any]) -> Trial:
    told = {name: value for name, value in line.items() if name not in {"model", "set", "block"}}
    return Trial(**told, job="", cost=0.0)


# -- words -------------------------------------------------------------------------------------------------------------


def write_page(measured: Sequence[Measured], head: str) -> str:
    """The whole page, `head` first, then what it comes to, then the tables."""
    told = [found for found in measured if found.tasks]
    says = [line for found in told if found.name == WHOLE for line in _says(found)]
    parts = [head.rstrip(), "## What it says", "\n".join(says), *map(_section, told)]
    return "\n\n".join(parts) + "\n"


def short_table(measured: Sequence[Measured]) -> str:
    """A line for each policy, over all sets, of the model that was asked most."""
    lines = [
        "| model | policy | right | accuracy (95 %) | beside one answer (95 %) | tokens |",
        "|---|---|---|---|---|---|",
    ]
    told = max((found for found in measured if found.name == WHOLE), key=lambda found: found.tasks)
    beside = {less.arm: less for less in told.table.differences}
    return "\n".join(lines + [_short_row(told.model, arm, beside.get(arm.arm)) for arm in told.table.arms])


def _short_row(model: str, arm: ArmReport, beside: Difference | None) -> str:
    told = f"{beside.accuracy:+.0%} ({_percent(beside.interval)})" if beside else ""
    return (
        f"| {model} | `{arm.arm}` | {arm.right} of {arm.trials} | {arm.accuracy:.0%} ({_percent(arm.interval)}) "
        f"| {told} | {arm.total_tokens:.0f} |"
    )


def _says(found: Measured) -> Iterator[str]:
    """What may be said of a model over all sets."""
    baseline, differences = found.table.arms[0].arm, found.table.differences
    verdicts = {told.arm: verdict_of(told, len(differences)) for told in differences}
    for said, wanted in (("more often right than", "helps"), ("less often right than", "hurts")):
        arms = [f"`{arm}`" for arm, verdict in verdicts.items() if verdict == wanted]
        yield (
            f"* {found.model}, {found.tasks} questions: {said} `{baseline}`, beyond chance: "
            f"{', '.join(arms) or 'none of these policies'}."
        )
    unsure = [f"`{arm}`" for arm, verdict in verdicts.items() if verdict == UNSHOWN]
    if unsure:
        yield f"* {found.model}: no difference to `{baseline}` is shown for {', '.join(unsure)}."
    yield from _savings(found)


def _section(found: Measured) -> str:
    rows = [_row(arm) for arm in found.table.arms]
    lines = [
        f"## {found.model}, {found.name}: {found.tasks} questions",
        "",
        "| policy | right | accuracy (95 %) | T | L | waste | wall s |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"Less `{found.table.arms[0].arm}`, on the same questions:",
        "",
        "| policy | accuracy | 95 % | gained, lost | McNemar p | T | so |",
        "|---|---|---|---|---|---|---|",
        *(_difference(told, len(found.table.differences)) for told in found.table.differences),
    ]
    savings = list(_savings(found))
    return "\n".join([*lines, *(["", *savings] if savings else [])])


def _row(arm: ArmReport) -> str:
    return (
        f"| `{arm.arm}` | {arm.right} of {arm.trials} | {arm.accuracy:.0%} ({_percent(arm.interval)}) "
        f"| {arm.critical_path_tokens:.0f} | {arm.total_tokens:.0f} | {arm.waste:.0%} "
        f"| {arm.median_wall_seconds:.1f} |"
    )


def _difference(told: Difference, compared: int) -> str:
    return (
        f"| `{told.arm}` | {told.accuracy:+.0%} | {_percent(told.interval)} | {told.gained}, {told.lost} "
        f"| {told.p_value:.2g} | {told.critical_path_tokens:+.0f} | {verdict_of(told, compared)} |"
    )


def verdict_of(told: Difference, compared: int) -> str:
    """What may be said of a difference, one of so many."""
    if told.p_value >= LEVEL / compared:
        return UNSHOWN
    if told.interval.low > 0:
        return "helps"
    return "hurts" if told.interval.high < 0 else UNSHOWN


def _savings(found: Measured) -> Iterator[str]:
    for whole, kinds in SAVERS.items():
        before = found.of(whole)
        for arm in (told.arm for told in found.table.arms):
            if arm != whole and any(kind in arm for kind in kinds) and before:
                yield _saving(arm, whole, before, found.of(arm))


def _saving(arm: str, whole: str, before: Mapping[str, Trial], after: Mapping[str, Trial]) -> str:
    tasks = sorted(before.keys() & after.keys())
    spent = fmean(before[task].total_tokens for task in tasks)
    fewer = [float(before[task].total_tokens - after[task].total_tokens) for task in tasks]
    interval = interval_of_mean(fewer, SEED)
    same = sum((before[task].score >= 1.0) == (after[task].score >= 1.0) for task in tasks)
    told = "saves" if interval.low > 0 else "costs more" if interval.high < 0 else "shows no saving"
    return (
        f"* `{arm}` {told}: it decodes {fmean(fewer) / spent:.0%} fewer tokens than `{whole}` "
        f"({_percent(Interval(interval.low / spent, interval.high / spent))}); {same} of {len(tasks)} answers are "
        "judged alike."
    )


def _percent(interval: Interval) -> str:
    return f"{100 * interval.low:.0f} to {100 * interval.high:.0f}"
