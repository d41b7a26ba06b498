"""Draws when jobs come."""

from collections.abc import Iterator
from math import log

from anabranch.dag.simulation.description import Arrivals
from anabranch.dag.simulation.draws import uniform


def arrival_times(arrivals: Arrivals, seed: int) -> Iterator[float]:
    """When jobs come by themselves: all of an open process, the first of each client of a closed one."""
    match arrivals.process:
        case "poisson":
            now = 0.0
            for number in range(arrivals.jobs):
                now += -log(uniform(seed, "arrival", number)) / arrivals.rate
                yield now
        case "trace":
            yield from sorted(arrivals.times)[: arrivals.jobs]
        case "closed":
            yield from (0.0 for _ in range(min(arrivals.clients, arrivals.jobs)))
