"""Draws accuracy against what it cost: T, L and wall clock, each with its Pareto frontier, as PNG or SVG.

The same evaluation gives the same bytes with the same release of matplotlib. In an SVG each point is a link.
"""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anabranch.service.client.evaluations import ArmReport, Evaluation
from anabranch.service.evaluation.errors import BadTasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = {
    "critical_path_tokens": "critical path T (tokens)",
    "total_tokens": "all tokens L",
    "wall_seconds": "wall clock (s)",
}
FORMS = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}
"""By the file's ending: what of the metadata would change from run to run, or from release to release."""
STYLE = {
    "svg.hashsalt": "anabranch",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COLOURS = ("#2f6fab", "#c4602d", "#3c8d5a", "#8a4fa3", "#a8903a", "#b23a5b", "#4a9aa8", "#6b6b6b")


def check_plot(file: Path) -> None:
    """Raises BadTasks where such a file cannot be drawn: said before the jobs are paid for."""
    if file.suffix.lower() not in FORMS:
        raise BadTasks(f"{file} is no plot that can be drawn; its name ends with {' or '.join(FORMS)}")
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as missing:
        raise BadTasks("plots need matplotlib: pip install 'anabranch[eval]'") from missing
    del mpl


def draw(evaluation: Evaluation, file: Path, link: Callable[[str], str]) -> None:
    """Writes the plot. `link` gives an arm's address. Raises BadTasks as `check_plot`."""
    check_plot(file)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * len(PANELS), 4.2), dpi=144, layout="constrained")
        for axes, (axis, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
            _draw_panel(axes, evaluation, axis, title, link)
        figure.suptitle(_title(evaluation))
        figure.savefig(file, metadata=FORMS[file.suffix.lower()])


def _draw_panel(
    axes: "Axes", evaluation: Evaluation, axis: str, title: str, link: Callable[[str], str]
) -> None:
    told = [report for report in evaluation.reports if report.trials]
    on = evaluation.frontiers[axis]
    best = sorted((report for report in told if report.arm in on), key=lambda report: _at(report, axis))
    axes.plot(
        [_at(report, axis) for report in best],
        [report.accuracy for report in best],
        color="#999999",
        linewidth=1.0,
        linestyle="--",
        zorder=1,
    )
    for place, (report, colour) in enumerate(zip(told, cycle(COLOURS), strict=False)):
        _draw_point(axes, report, axis, colour, link(report.arm), best=report.arm in on, place=place)
    axes.set_xlabel(title)
    axes.set_ylabel("accuracy")
    axes.set_ylim(-0.08, 1.05)
    dearest = max((_at(report, axis) for report in told), default=0.0)
    axes.set_xlim(0, 1.5 * dearest or 1.0)  # names stand to the right of their points
    axes.grid(visible=True, linewidth=0.3)


def _draw_point(
    axes: "Axes", report: ArmReport, axis: str, colour: str, url: str, *, best: bool, place: int
) -> None:
    x, y = _at(report, axis), report.accuracy
    spread = [[y - report.interval.low], [report.interval.high - y]]
    axes.errorbar([x], [y], yerr=spread, color=colour, linewidth=1.0, capsize=3, zorder=2)
    point = axes.scatter([x], [y], s=60 if best else 36, color=colour, edgecolors="black", zorder=3)
    point.set_linewidth(1.2 if best else 0.0)
    point.set_urls([url])
    axes.annotate(
        f"{report.arm} ★" if best else report.arm,
        (x, y),
        xytext=(6, 6 if place % 2 else -12),
        textcoords="offset points",
        fontsize=7.5,
        color=colour,
        url=url,
    )


def _at(report: ArmReport, axis: str) -> float:
    value: Any = getattr(report, axis)
    return float(value)


def _title(evaluation: Evaluation) -> str:
    judged = f"{evaluation.judged} of {evaluation.tasks * len(evaluation.arms)} trials"
    return (
        f"{evaluation.title}: accuracy (95 % interval) against its cost, {judged}; ★ on the Pareto frontier"
    )
