"""Real processes, killed with SIGKILL while jobs run. `benchmarks/chaos_real.py` is the long form."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.databases import system_binaries

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "chaos_real.py"


@pytest.mark.chaos
@pytest.mark.ray
@pytest.mark.parametrize("store", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_jobs_outlive_whatever_worked_on_them(store: str) -> None:
    if store == "postgres" and system_binaries() is None:
        pytest.skip("no PostgreSQL on this machine that could be crashed")
    options = ["--jobs", "10", "--seconds", "32", "--pause", "4", "--first", "organizer"]
    options += ["store", "--postgres"] if store == "postgres" else ["head"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *options], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "no promise was broken" in done.stdout
    assert " 0 pieces of answers" not in f" {done.stdout}", "what was read as it came must stand"
    for killed in ("organizers killed", "PostgreSQL crashed" if store == "postgres" else "Ray's head killed"):
        assert killed in done.stdout
