"""What `make bench` runs: every benchmark that needs no arguments, one after the other.

Each prints its rivals and the floor beside its own numbers, from the same run. Read ratios; absolute times are this
machine's, and today's.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = ("journal.py", "serve_settings.py", "durability.py", "latency.py", "dashboard.py", "memory.py")


def main() -> int:
    """Runs all; the number of those that failed."""
    failed = 0
    for name in SCRIPTS:
        print(f"\n== {name}", flush=True)
        failed += subprocess.run([sys.executable, HERE / name], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
