"""Cores that a process may use: its affinity, and what its containers allow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from anabranch.workers.cores import affinity, quotas, usable_cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_that_is_bound_to_one_core_uses_one() -> None:
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from anabranch.workers.cores import usable_cores; print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_there_is_always_one_and_never_more_than_the_affinity() -> None:
    assert 1 <= usable_cores() <= affinity()


def groups(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/", {"cpu.max": "max 100000\n"}, []),
        ("0::/", {"cpu.max": "250000 100000\n"}, [2.5]),
        ("0::/pod/box", {"pod/box/cpu.max": "max 100000", "pod/cpu.max": "400000 100000"}, [4.0]),
        ("0::/pod/box", {"pod/box/cpu.max": "50000 100000", "pod/cpu.max": "400000 100000"}, [0.5, 4.0]),
        (
            "4:cpu,cpuacct:/box\n3:memory:/box",
            {"cpu,cpuacct/box/cpu.cfs_quota_us": "300000", "cpu,cpuacct/box/cpu.cfs_period_us": "100000"},
            [3.0],
        ),
        ("4:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, []),
        ("", {}, []),
    ],
)
def test_quotas_of_every_group_above_count(
    tmp_path: Path, own: str, files: dict[str, str], expected: list[float]
) -> None:
    (tmp_path / "own").write_text(own)
    assert list(quotas(groups(tmp_path / "root", files), tmp_path / "own")) == expected


def test_a_system_without_cgroups_has_no_quotas(tmp_path: Path) -> None:
    assert list(quotas(tmp_path, tmp_path / "none")) == []
