"""Orders the suite, and shares it between several processes.

What is quick and tells most comes first, what starts or kills clusters comes last. `make test` has several processes,
each of which takes file after file: the first one from the end, the others from the beginning. So clusters and real
engines, which mostly wait, run beside what is quick, and not beside each other.
"""

import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

pytest_plugins = ["tests.ray_cluster"]
collect_ignore = ["matrix"]
"""Other people's clients, in environments of their own: `make test-clients`."""

# How long an example takes says how busy the machine is, nothing about the code. CI, whose verdict is on a
# change, tries the same examples each time; every other run tries new ones.
settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("untimed")

BED = "tests/cluster/"
COSTS = ("postgres", "ray", "real", "browser", "chaos", "cluster", "image")


def cost(item: pytest.Item) -> int:
    return max((COSTS.index(mark.name) + 1 for mark in item.iter_markers() if mark.name in COSTS), default=0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=cost)  # stable: files keep their own order within one cost


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests measured and did not judge: their property `measured`."""
    reports = [
        one for each in terminalreporter.stats.values() for one in each if isinstance(one, pytest.TestReport)
    ]
    for report in reports:
        for name, told in report.user_properties if report.when == "call" else ():
            if name == "measured":
                terminalreporter.write_line(f"measured: {told}")


class Lanes(LoadScopeScheduling):
    """Gives a process a whole file; all of the cluster's, which hand one bed on, to one process."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        if node is self.nodes[0]:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return BED if file.startswith(BED) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes | None:
    return Lanes(config, log) if config.getoption("dist") == "loadscope" else None
