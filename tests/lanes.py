"""Shares the suite between processes, as `make test` runs it: each takes file after file.

The first one begins at the end, the others at the beginning. So clusters and real engines, which mostly wait, run
beside what is quick, and not beside each other.

The third one helps for as long as the cluster, with which the first one begins, leaves the processors idle, and takes
only what is quick. It yields to the other two: beside a third that does not, nodes of a cluster come too late. Later it
would gain nothing, since engines keep two cores busy.
"""

import os
import re
from functools import cache
from pathlib import Path

from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

BED = "tests/cluster/"
"""Its files hand one bed on."""
ENGINE = "tests/workers/engines/ with one vLLM"
"""Its files share the engine of a fixture. One with another engine between them would take its gauges away: what
vLLM tells Prometheus is its process's, and the last engine's."""
LAST, THIRD = "gw0", "gw2"
"""The process that begins at the end, and the one that helps."""
YIELDS = 5
"""How nice the third is: of a busy core it gets a third of what others get, so that its timeouts hold."""
COSTS = ("postgres", "ray", "real", "browser", "chaos", "image", "cluster")
"""Marks of tests, the cheapest first; tests without one cost less."""
SLOW = re.compile(rf"mark\.({'|'.join(COSTS[1:])})\b")


class Lanes(LoadScopeScheduling):
    """Gives a process a whole file, or all the files that share what is slow to start."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        if node.gateway.id == LAST:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if node.gateway.id == THIRD and not node.shutting_down and not self._is_help_wanted():
            node.shutdown()
        super()._reschedule(node)

    def _is_help_wanted(self) -> bool:
        """The cluster's tests are under way, and what comes next is quick."""
        of_cluster = (work[BED] for work in self.assigned_work.values() if BED in work)
        is_waiting = any(not all(unit.values()) for unit in of_cluster)
        return is_waiting and not is_slow(self.config.rootpath / next(iter(self.workqueue), BED))

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith(BED):
            return BED
        return ENGINE if shares_engine(self.config.rootpath / file) else file


def yield_to_others() -> None:
    """Of the third process: takes its place behind the others."""
    if os.environ.get("PYTEST_XDIST_WORKER") == THIRD:
        os.nice(YIELDS)


@cache
def shares_engine(file: Path) -> bool:
    """Whether its tests ask for an engine that lives as long as the process."""
    text = file.read_text()
    return "vllm_engine: VllmEngine" in text or "tagged_engine: VllmEngine" in text


@cache
def is_slow(file: Path) -> bool:
    """Whether it has tests that start or kill what is large."""
    return not file.is_file() or SLOW.search(file.read_text()) is not None
