"""Counts goodput where wide jobs and short ones share an engine: no branching, fixed caps, eager, and room by slack.

    python benchmarks/width.py                     # simulated in virtual time: the same numbers on every machine
    python benchmarks/width.py --engine URL        # on an upstream that really computes, torch_upstream.py or vLLM

Jobs come by a Poisson process, the same for all: four of five are a chat, the others sample 16 or 32 times
(self-consistency). A job is good within its target: a chat within 1.5 times, a wide job within 6 times what its longest
branch takes alone on an idle engine. Told are good jobs a second, and the tokens of good jobs a second, at several
rates; `peak` and `tokens` are the best of these, and `holds` is the highest rate at which nine of ten chats and nine of
ten wide jobs were good. The last lines have them as ratios.

On a real engine (`width_engine.py`) one load is measured: the one at which steps would take --load times as long as
alone if all branched eagerly.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from anabranch.dag.simulation.cluster import ClusterRun
from anabranch.dag.simulation.description import Arrivals, Cluster, Kind, Scenario
from anabranch.dag.simulation.draws import Lengths
from anabranch.dag.simulation.engines.step_time import StepTime
from anabranch.dag.simulation.outcome import Ended
from anabranch.dag.simulation.workload import Point

TARGETS = {"chat": 1.5, "wide-16": 6.0, "wide-32": 6.0}
"""Times what the longest branch takes alone."""
SLOWDOWN = 1.4
"""A little below what a chat can bear: prompts are read between steps, too."""
RATES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
"""Jobs a second."""
JOBS = 300
ENOUGH = 0.9
STEP = StepTime(points=((1, 0.020), (16, 0.0215), (64, 0.032), (256, 0.090)), per_prefill_token=2e-5)
"""About that of a 32B model on one GPU."""
ALONE = STEP.of_batch(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """How wide jobs may be."""

    name: str
    width: int = 64
    slowdown: float = 0.0


SLACK = System(name="slack", slowdown=SLOWDOWN)
SYSTEMS = (
    System(name="no branching", width=1),
    System(name="at most 2", width=2),
    System(name="at most 4", width=4),
    System(name="at most 8", width=8),
    System(name="eager"),
    SLACK,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodput:
    """What came of one system at one rate."""

    jobs: float
    """Good ones a second."""
    tokens: float
    """Theirs, a second."""
    chats: float
    """Share of the chats that were good."""
    wide: float


def scenario(system: System, rate: float) -> Scenario:
    """The same questions, lengths and arrivals for every system."""
    lengths = Lengths(kind="lognormal", numbers=(200.0, 0.5))
    chat = Kind(name="chat", policy="sequential", weight=0.8, output_tokens=lengths)
    wide = tuple(
        Kind(
            name=f"wide-{n}",
            policy="self-consistency",
            weight=0.1,
            params={"n": n, "stop": "all"},
            output_tokens=lengths,
        )
        for n in (16, 32)
    )
    return Scenario(
        cluster=Cluster(step=STEP, max_decodes=256, overhead=0.003),
        arrivals=Arrivals(process="poisson", jobs=JOBS, rate=rate),
        kinds=(chat, *wide),
        width=system.width,
        slowdown=system.slowdown,
    )


def simulate(system: System, rate: float) -> Goodput:
    """Runs the scenario."""
    described = scenario(system, rate)
    jobs = ClusterRun(described, Point(label="", scenario=described).ask()).run().jobs
    good = [job for job in jobs if _is_good(job)]
    seconds = JOBS / rate
    return Goodput(
        jobs=len(good) / seconds,
        tokens=sum(job.metrics.total_tokens for job in good) / seconds,
        chats=_share([job.kind == "chat" for job in jobs], [job.kind == "chat" for job in good]),
        wide=_share([job.kind != "chat" for job in jobs], [job.kind != "chat" for job in good]),
    )


def _is_good(job: Ended) -> bool:
    return job.latency <= TARGETS[job.kind] * job.metrics.critical_path_tokens * ALONE


def _share(asked: Sequence[bool], good: Sequence[bool]) -> float:
    return sum(good) / max(1, sum(asked))


def compare(systems: Sequence[System], rates: Sequence[float] = RATES) -> dict[str, list[Goodput]]:
    """Prints good jobs a second (share of chats that were good, of wide jobs) of each system at each rate."""
    print(
        f"{'jobs a second':14}"
        + "".join(f"{rate:>17g}" for rate in rates)
        + f"{'peak':>8}{'tokens':>8}{'holds':>7}"
    )
    found: dict[str, list[Goodput]] = {}
    for system in systems:
        found[system.name] = row = [simulate(system, rate) for rate in rates]
        told = "".join(f"{each.jobs:7.2f} ({each.chats:3.0%},{each.wide:4.0%})" for each in row)
        print(
            f"{system.name:14}{told}{_peak(row):8.2f}{_peak_tokens(row):8.0f}{_holds(row, rates):7g}",
            flush=True,
        )
    return found


def _peak(row: Sequence[Goodput]) -> float:
    return max(each.jobs for each in row)


def _peak_tokens(row: Sequence[Goodput]) -> float:
    return max(each.tokens for each in row)


def _holds(row: Sequence[Goodput], rates: Sequence[float]) -> float:
    """0 where none does."""
    held = (rate for rate, each in zip(rates, row, strict=True) if min(each.chats, each.wide) >= ENOUGH)
    return max(held, default=0.0)


def tell_ratios(found: dict[str, list[Goodput]]) -> None:
    """How much more slack gives than each of the others: of jobs, and of tokens."""
    ours = found[SLACK.name]
    for name, row in found.items():
        if name != SLACK.name:
            jobs, tokens = _peak(ours) / _peak(row), _peak_tokens(ours) / _peak_tokens(row)
            print(f"slack / {name:14} {jobs:5.2f} of good jobs, {tokens:5.2f} of their tokens")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", help="URL of an upstream that really computes")
    parser.add_argument("--seconds", type=float, default=9.0, help="of arrivals, for each system")
    parser.add_argument("--load", type=float, default=1.4)
    parser.add_argument("--slowdown", type=float, default=SLOWDOWN)
    options = parser.parse_args()
    systems = (*SYSTEMS[:-1], replace(SLACK, slowdown=options.slowdown))
    if options.engine:
        from benchmarks.width_engine import measure  # needs more than a simulation does

        asyncio.run(measure(options.engine, systems, options.seconds, options.load))
    else:
        tell_ratios(compare(systems))
    return 0


if __name__ == "__main__":
    sys.exit(main())
