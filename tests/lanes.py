"""Shares the suite between processes, as `make test` runs it: each takes file after file.

The first one begins at the end, the others at the beginning. So clusters and real engines, which mostly wait, run
beside what is quick, and not beside each other. Beside a third process two cores are so busy that nodes of a cluster
come too late.
"""

from functools import cache
from pathlib import Path

from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

BED = "tests/cluster/"
"""Its files hand one bed on."""
ENGINE = "tests/workers/engines/ with one vLLM"
"""Its files share the engine of a fixture. One with another engine between them would take its gauges away: what
vLLM tells Prometheus is its process's, and the last engine's."""


class Lanes(LoadScopeScheduling):
    """Gives a process a whole file, or all the files that share what is slow to start."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        if node is self.nodes[0]:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith(BED):
            return BED
        return ENGINE if shares_engine(self.config.rootpath / file) else file


@cache
def shares_engine(file: Path) -> bool:
    """Whether its tests ask for an engine that lives as long as the process."""
    text = file.read_text()
    return "vllm_engine: VllmEngine" in text or "tagged_engine: VllmEngine" in text
