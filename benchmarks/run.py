"""What `make bench` runs: latency, many clients, and a durable fork and join, beside peers and floors; then one table.

    python benchmarks/run.py [--rounds 20] [--postgres URL] [--peers PYTHON]... [--all]

All figures are of one run: read ratios, absolute times are this machine's, and today's. `--peers` is an interpreter in
which `its-hub[iaas]`, `optillm`, `dbos` or `langgraph` is installed, and may be given again for those that do not go
together: each peer is measured that one of them has. `--all` also runs the benchmarks that print tables of their own:
journals, settings of Serve, streaming, dashboard, growth, and memory on Ray.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
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
    parser.add_argument("--peers", metavar="PYTHON", action="append", default=[])
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    rounds, postgres = ["--rounds", str(options.rounds)], []
    if options.postgres:
        postgres = ["--postgres", options.postgres]
    its_hub, optillm, durable = (_having(options.peers, name) for name in ("its_hub", "optillm", "langgraph"))
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as rows:
        given = [*rounds, *postgres, "--rows", rows.name]
        failed = _run("latency.py", "--load", *given, *(["--its-hub", its_hub] if its_hub else []))
        failed += _run("durability.py", *given, *(["--peers", durable] if durable else []))
        if optillm:
            failed += _run("drop_in.py", "--peers", optillm, "--rows", rows.name)
        failed += sum(_run(name) for name in OTHERS) if options.all else 0
        print(table(Path(rows.name).read_text().splitlines()))
    return failed


def _run(name: str, *options: str) -> int:
    print(f"\n== {name}", flush=True)
    return int(subprocess.run([sys.executable, HERE / name, *options], check=False).returncode != 0)


def _having(pythons: Sequence[str], module: str) -> str | None:
    """The first of these interpreters that can import the module."""
    for python in pythons:
        words = [python, "-c", f"import {module}"]
        if subprocess.run(words, capture_output=True, check=False).returncode == 0:
            return python
    return None


if __name__ == "__main__":
    sys.exit(main())
