"""Counts the cores that this process may use: asked where the work is done, since a driver's machine may be another
one.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """At least 1: the cores of the process's affinity, or fewer where its container has a quota."""
    return max(1, min([affinity(), *map(int, quotas())]))


def affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS has no affinity


def quotas(root: Path = CGROUPS, own: Path = OWN_CGROUP) -> Iterator[float]:
    """Cores' worth of time per period, for each group that the process is in and that has a limit (cgroup v2,
    `cpu.max`; v1, `cpu.cfs_quota_us`)."""
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "" or "cpu" in controllers.split(","):
                hierarchy = root if controllers == "" else root / controllers
                for group in (Path(path), *Path(path).parents):
                    yield from _quota(hierarchy / group.relative_to("/"))


def _quota(group: Path) -> Iterator[float]:
    with suppress(OSError, ValueError):  # no limit, no such file, or "max"
        quota, period = (group / "cpu.max").read_text().split()
        yield int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota, period = (group / "cpu.cfs_quota_us").read_text(), (group / "cpu.cfs_period_us").read_text()
        if int(quota) > 0:
            yield int(quota) / int(period)
