"""Real processes, killed with SIGKILL while jobs run. `benchmarks/chaos_real.py` is the long form."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "chaos_real.py"


@pytest.mark.chaos
@pytest.mark.ray
def test_jobs_outlive_the_organizers_and_replicas_that_worked_on_them() -> None:
    command = [sys.executable, SCRIPT, "--jobs", "8", "--seconds", "24", "--pause", "4", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "no promise was broken" in done.stdout
