"""The order of the suite: what is quick and tells most comes first, what starts or kills clusters comes last."""

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.ray_cluster"]
collect_ignore = ["matrix"]
"""Other people's clients, in environments of their own: `make test-clients`."""

# How long an example takes says how busy the machine is, nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

COSTS = ("postgres", "ray", "real", "browser", "chaos")


def cost(item: pytest.Item) -> int:
    return max((COSTS.index(mark.name) + 1 for mark in item.iter_markers() if mark.name in COSTS), default=0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=cost)  # stable: files keep their own order within one cost
