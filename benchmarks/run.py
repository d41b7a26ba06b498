"""What `make bench` runs: latency, many clients, and a durable fork and join, beside peers and floors; then one table.

    python benchmarks/run.py [--rounds 20] [--postgres URL] [--peers PYTHON] [--all]

All figures are of one run: read ratios, absolute times are this machine's, and today's. `--peers` is an interpreter in
which `its-hub[iaas]`, `optillm`, `dbos` and `langgraph` are installed: those that are there are measured. `--all` also
runs the benchmarks that print tables of their own: journals, settings of Serve, streaming, dashboard, growth, and
memory on Ray.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.rows import table

HERE = Path(__file__).parent
OTHERS = ("journal.py", "serve_settings.py", "streaming.py", "dashboard.py", "growth.py", "memory.py")


def main() -> int:
    """Runs all; the number of those that failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--postgres", help="URL of an empty database")
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    rounds, postgres = ["--rounds", str(options.rounds)], []
    if options.postgres:
        postgres = ["--postgres", options.postgres]
    has_its_hub = options.peers and _can_import(options.peers, "its_hub")
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as rows:
        given = [*rounds, *postgres, "--rows", rows.name]
        latency = ["latency.py", "--load", *given, *(["--its-hub", options.peers] if has_its_hub else [])]
        durability = ["durability.py", *given, *(["--peers", options.peers] if options.peers else [])]
        failed = _run(*latency) + _run(*durability)
        if options.peers and _can_import(options.peers, "optillm"):
            failed += _run("drop_in.py", "--peers", options.peers, "--rows", rows.name)
        failed += sum(_run(name) for name in OTHERS) if options.all else 0
        print(table(Path(rows.name).read_text().splitlines()))
    return failed


def _run(name: str, *options: str) -> int:
    print(f"\n== {name}", flush=True)
    return int(subprocess.run([sys.executable, HERE / name, *options], check=False).returncode != 0)


def _can_import(python: str, name: str) -> bool:
    return subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
