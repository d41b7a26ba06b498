"""Real processes, killed with SIGKILL while jobs run. `benchmarks/chaos_real.py` is the long form."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.databases import system_binaries

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "chaos_real.py"


@pytest.mark.chaos
@pytest.mark.ray
def test_jobs_outlive_whatever_worked_on_them() -> None:
    """On PostgreSQL where it can be crashed here, for then everything can; else on SQLite."""
    killed = {"organizer": "organizers killed", "head": "Ray's head killed"}
    options = ["--jobs", "12", "--seconds", "40", "--pause", "4"]
    if system_binaries() is not None:
        options.append("--postgres")
        killed["store"] = "PostgreSQL crashed"
    done = subprocess.run(
        [sys.executable, SCRIPT, *options, "--first", *killed],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "no promise was broken" in done.stdout
    assert " 0 pieces of answers" not in f" {done.stdout}", "what was read as it came must stand"
    for told in killed.values():
        assert told in done.stdout
