"""Runs what a description asks for, point by point, with the journals of recorded jobs."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from anabranch.dag.simulation.cluster import ClusterRun
from anabranch.dag.simulation.models.recorded import Journal
from anabranch.dag.simulation.outcome import Outcome
from anabranch.dag.simulation.summary import Summary, summarise
from anabranch.dag.simulation.workload import Point, Recorded
from anabranch.service.simulation.reading import Description

ReadJournal = Callable[[str], Journal]
"""Gives the journal of a job in the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """One point of a sweep, and what it came to."""

    point: Point
    outcome: Outcome
    summary: Summary

    def as_json(self) -> dict[str, Any]:
        """For programs; the same for the same description."""
        scenario = self.point.scenario
        return {
            "label": self.point.label,
            "replicas": scenario.cluster.replicas,
            "seed": scenario.seed,
            "policies": {
                kind.name: {"policy": kind.policy, "params": dict(kind.params)} for kind in scenario.kinds
            },
            **asdict(self.summary),
        }


def recorded_of(description: Description, read: ReadJournal) -> tuple[Recorded, ...]:
    """The recorded jobs that a description names, each read once."""
    read_once: dict[str, Journal] = {}
    for each in description.recorded:
        for job in each.ids:
            if job not in read_once:
                read_once[job] = read(job)
    return tuple(
        Recorded(name=each.name, journals=tuple(read_once[job] for job in each.ids), weight=each.weight)
        for each in description.recorded
    )


def simulate(description: Description, recorded: tuple[Recorded, ...]) -> Iterator[Simulated]:
    """Each point when it has been simulated, in the order of the sweep."""
    for point in description.sweep.points(description.scenario, recorded):
        outcome = ClusterRun(point.scenario, point.ask()).run()
        yield Simulated(point=point, outcome=outcome, summary=summarise(outcome))
