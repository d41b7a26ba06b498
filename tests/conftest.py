"""Orders the suite: what is quick and tells most comes first, what starts or kills clusters comes last."""

import gc
import os

import pytest
from hypothesis import HealthCheck, settings
from tests.lanes import COSTS, Lanes, yield_to_others
from xdist.remote import Producer

pytest_plugins = ["tests.ray_cluster"]
collect_ignore = ["matrix"]
"""Other people's clients, in environments of their own: `make test-clients`."""

# How long an example takes says how busy the machine is, nothing about the code. CI, whose verdict is on a
# change, tries the same examples each time, and fewer of them; every other run tries new ones.
CI = "CI" in os.environ
settings.register_profile(
    "untimed",
    deadline=None,
    derandomize=CI,
    max_examples=50 if CI else 100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")


def pytest_configure() -> None:
    yield_to_others()


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector, which looks at all of it again and again, passes it by from here on.
    That was an eighth of the processor time of tests that start nothing."""
    gc.collect()
    gc.freeze()


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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes | None:
    return Lanes(config, log) if config.getoption("dist") == "loadscope" else None
