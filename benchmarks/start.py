"""Measures how long one process without Ray takes: from the command to "ready", to a first answer, and to its end.

    python benchmarks/start.py [--times 5] [--program .venv/bin/anabranch]

The upstream is a small server of this script, which answers at once. The first start makes the database; it is told
apart. Processor time is the service's own until it is ready; on a busy machine it says more than the clock.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.workers.engines.upstream import Upstream, serving

from anabranch.client import Client

TICKS = os.sysconf("SC_CLK_TCK")
PROGRAM = Path(sys.executable).with_name("anabranch")


@dataclass(frozen=True)
class Start:
    """Seconds."""

    ready: float
    processor: float
    answer: float
    end: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--program", type=Path, default=PROGRAM)
    options = parser.parse_args()
    upstream = Upstream()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':>14}{'ready':>8}{'processor':>11}{'answer':>8}{'end':>7}   (seconds)")
    with tempfile.TemporaryDirectory(prefix="start-") as folder, serving(upstream):
        starts = [start(options.program, Path(folder), upstream.url) for _ in range(options.times + 1)]
    tell("new database", starts[:1])
    tell(f"median of {options.times}", starts[1:])


def start(program: Path, folder: Path, upstream: str) -> Start:
    """One start on the database in this folder, one job, and the end."""
    command = [str(program), "up", "--port", "0", "--upstream", upstream, "--model", "some-model"]
    environment = os.environ | {"ANABRANCH_STATE": str(folder)}
    begun = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        ready, processor = time.monotonic(), processor_seconds(process.pid)
        with Client(url) as client:
            client.wait(client.submit("What is 2 + 2?", policy="sequential").id)
        answered = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait()
        ended = time.monotonic()
    return Start(ready - begun, processor, answered - ready, ended - answered)


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def tell(what: str, starts: list[Start]) -> None:
    def median(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in starts))

    print(
        f"{what:>14}{median('ready'):8.2f}{median('processor'):11.2f}{median('answer'):8.2f}{median('end'):7.2f}"
    )


if __name__ == "__main__":
    main()
