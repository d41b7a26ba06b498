"""Draws what a simulation came to, as PNG or SVG: latencies, the load over time, and what a sweep costs.

The same simulation gives the same bytes with the same release of matplotlib.
"""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.service.evaluation.plots import COLOURS, FORMS, STYLE
from anabranch.service.simulation.reading import BadDescription
from anabranch.service.simulation.run import Simulated

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def check_plot(file: Path) -> None:
    """Raises BadDescription where such a file cannot be drawn: said before anything is simulated."""
    if file.suffix.lower() not in FORMS:
        raise BadDescription(f"{file} is no plot that can be drawn; its name ends with {' or '.join(FORMS)}")
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as missing:
        raise BadDescription("plots need matplotlib: pip install 'anabranch[eval]'") from missing
    del mpl


def draw(simulated: Sequence[Simulated], file: Path) -> None:
    """Writes the plot. Raises BadDescription as `check_plot`."""
    check_plot(file)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12.6, 4.2), dpi=144, layout="constrained")
        latencies, load, points = figure.subplots(1, 3)
        _draw_latencies(latencies, simulated)
        _draw_load(load, simulated)
        if len(simulated) > 1:
            _draw_points(points, simulated)
        else:
            _draw_kinds(points, simulated[0])
        figure.savefig(file, metadata=FORMS[file.suffix.lower()])


def _draw_latencies(axes: "Axes", simulated: Sequence[Simulated]) -> None:
    """The share of jobs that were answered by then: of each kind of a single run, of each point of a sweep."""
    if len(simulated) == 1:
        jobs = simulated[0].outcome.jobs
        groups = {
            kind: [job.latency for job in jobs if job.kind == kind] for kind in sorted({j.kind for j in jobs})
        }
    else:
        groups = {each.point.label: [job.latency for job in each.outcome.jobs] for each in simulated}
    for (label, values), colour in zip(groups.items(), cycle(COLOURS), strict=False):
        ordered = sorted(values)
        shares = [(place + 1) / len(ordered) for place in range(len(ordered))]
        axes.step(ordered, shares, where="post", label=label, color=colour, linewidth=1.2)
    _finish(axes, "seconds from arrival to answer", "share of jobs")


def _draw_load(axes: "Axes", simulated: Sequence[Simulated]) -> None:
    """Decodes that were asked for and had not ended, over time."""
    for each, colour in zip(simulated, cycle(COLOURS), strict=False):
        loads = each.outcome.loads
        label = each.point.label if len(simulated) > 1 else "decodes"
        axes.step([load.at for load in loads], [load.decodes for load in loads], where="post",
                  label=label, color=colour, linewidth=1.0)  # fmt: skip
        if len(simulated) == 1:
            axes.step([load.at for load in loads], [load.jobs for load in loads], where="post",
                      label="jobs", color=COLOURS[1], linewidth=1.0)  # fmt: skip
    _finish(axes, "seconds", "decodes under way" if len(simulated) > 1 else "under way")


def _draw_points(axes: "Axes", simulated: Sequence[Simulated]) -> None:
    """What each point of a sweep costs for a job, in money or, without prices, in seconds of replicas; and its p90."""
    priced = any(each.summary.cost for each in simulated)
    for each, colour in zip(simulated, cycle(COLOURS), strict=False):
        whole = each.summary.kinds[0]
        replica_seconds = each.summary.seconds * each.point.scenario.cluster.replicas / max(1, whole.jobs)
        cost = each.summary.cost_per_job if priced else replica_seconds
        axes.scatter([cost], [whole.latency.p90], color=colour, s=40, label=each.point.label)
    _finish(axes, "money per job" if priced else "seconds of a replica per job", "seconds, p90")


def _draw_kinds(axes: "Axes", simulated: Simulated) -> None:
    """T and L of each kind."""
    kinds = simulated.summary.kinds[1:]
    places = range(len(kinds))
    axes.bar([place - 0.2 for place in places], [kind.critical_path_tokens for kind in kinds], 0.38,
             label="T, critical path", color=COLOURS[0])  # fmt: skip
    axes.bar([place + 0.2 for place in places], [kind.total_tokens for kind in kinds], 0.38,
             label="L, all tokens", color=COLOURS[2])  # fmt: skip
    axes.set_xticks(list(places), [kind.kind for kind in kinds], rotation=20, ha="right")
    _finish(axes, "", "tokens per job")


def _finish(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, linewidth=0.3)
    axes.legend(fontsize=7, frameon=False)
