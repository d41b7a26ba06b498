"""Prints an evaluation for people: a line for each policy, what differs from the first, where to look."""

from rich.text import Text

from anabranch.service.cli.output import console, tell, tell_table
from anabranch.service.client.evaluations import ArmDifference, ArmReport, Evaluation, Interval

COLUMNS = ("policy", "right", "accuracy", "95 %", "T", "L", "P", "waste", "wall s", "cost", "best for")
FRONTIERS = {"critical_path_tokens": "T", "total_tokens": "L", "wall_seconds": "wall", "cost": "cost"}


def tell_evaluation(found: Evaluation, link: str) -> None:
    """T, L, wall clock and cost are means per job; `best for` names the costs on whose Pareto frontier a policy is."""
    whole = found.tasks * len(found.arms)
    tell(
        f"{found.run}: {found.judged} of {whole} trials judged, {found.tasks} task{'s' if found.tasks != 1 else ''}"
    )
    tell_table(COLUMNS, (_row(report, found) for report in found.reports))
    for difference in found.differences:
        tell(_difference_in_words(difference))
    console().print(Text(link, style="underline"), soft_wrap=True)


def _row(report: ArmReport, found: Evaluation) -> tuple[object, ...]:
    best = [
        name
        for axis, name in FRONTIERS.items()
        if report.arm in found.frontiers[axis] and _differs(found, axis)
    ]
    return (
        report.arm,
        f"{report.right}/{report.trials}",
        f"{report.accuracy:.1%}",
        _percent(report.interval),
        f"{report.critical_path_tokens:.0f}",
        f"{report.total_tokens:.0f}",
        f"{report.parallelism:.2f}",
        f"{report.waste:.0%}",
        f"{report.wall_seconds:.2f}",
        f"{report.cost:.4g}",
        " ".join(best),
    )


def _differs(found: Evaluation, axis: str) -> bool:
    """Costs that are all zero, where nobody set prices, are no frontier."""
    return any(getattr(report, axis) for report in found.reports)


def _difference_in_words(told: ArmDifference) -> str:
    speed = f", speed-up in T {told.speedup:.2f}×" if told.speedup is not None else ""
    return (
        f"{told.arm} less {told.baseline}: {told.accuracy:+.1%} ({_percent(told.interval)}; {told.gained} gained, "
        f"{told.lost} lost of {told.pairs}; McNemar p = {told.p_value:.3g}){speed}"
    )


def _percent(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
