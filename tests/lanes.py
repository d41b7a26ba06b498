"""Shares the suite between three processes, as `make test` runs it: each takes file after file.

The first one begins at the end, with images and clusters; the second one at the first file that starts processes of
its own. The third one begins at the beginning, takes only files that start none, and gives way to the others: it fills
what they leave of two cores, so that clusters and real engines, which are judged by clocks of their own, come in time.
"""

import os
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

COSTS = ("postgres", "ray", "real", "browser", "chaos", "cluster", "image")
"""Marks, the cheapest first."""

LANES = 3
GIVES_WAY = 5
"""Nice: a third of what another process gets where both want the same core."""

BED = "tests/cluster/"
"""Its files hand one bed on."""
ENGINE = "tests/workers/engines/ with one vLLM"
"""Its files share the engine of a fixture. One with another engine between them would take its gauges away: what
vLLM tells Prometheus is its process's, and the last engine's."""


class Lanes(LoadScopeScheduling):
    """Gives a process a whole file, or all the files that share what is slow to start."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        if unit := self._next_unit(lane_of(node.gateway.id)):
            self.workqueue.move_to_end(unit, last=False)
            super()._assign_work_unit(node)
        else:
            node.shutdown()

    def _next_unit(self, lane: int) -> str | None:
        match lane:
            case 0:
                return next(reversed(self.workqueue))
            case 1:
                first = next(iter(self.workqueue))
                return next((unit for unit in self.workqueue if self._is_costly(unit)), first)
            case _:
                return next((unit for unit in self.workqueue if not self._is_costly(unit)), None)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith(BED):
            return BED
        return ENGINE if shares_engine(self.config.rootpath / file) else file

    def _is_costly(self, unit: str) -> bool:
        return unit in (BED, ENGINE) or costly(self.config.rootpath / unit)


@cache
def costly(file: Path) -> bool:
    """Whether its tests start processes: they say so by a mark. A database's comes from a fixture, and is no sign."""
    text = file.read_text()
    return any(f"mark.{name}" in text for name in COSTS[1:])


@cache
def shares_engine(file: Path) -> bool:
    """Whether its tests ask for an engine that lives as long as the process."""
    return costly(file) and any(
        f"{name}: VllmEngine" in file.read_text() for name in ("vllm_engine", "tagged_engine")
    )


def lane_of(worker: str) -> int:
    """From xdist's names: gw0, gw1, …; whoever takes a lost one's place is counted on."""
    return int(worker.removeprefix("gw")) % LANES


def give_way() -> None:
    """For the third process, once, as it starts."""
    if lane_of(os.environ.get("PYTEST_XDIST_WORKER", "gw0")) == LANES - 1:
        os.nice(GIVES_WAY)


def share(config: pytest.Config, log: Producer) -> Lanes | None:
    return Lanes(config, log) if config.getoption("dist") == "loadscope" else None
