"""What jobs of 10,000 branches cost in memory, while they run and after.

    python benchmarks/memory.py --rollouts 3400 --jobs 3

One `anabranch up` with a scripted engine runs tree searches of three branches a rollout, one after the other. Told is
the resident memory, in MiB, of the organizer, the replica, and the process that serves REST.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.chaos_service import Service
from tests.databases import free_port

from anabranch.client import Client

SCRIPT = {
    "rules": [{"matches": "0 to 10", "text": "5"}, {"text": "so it goes " * 60}],
    "tokens_per_second": 2000,
}
LOOK_SECONDS = 0.5
REST_SECONDS = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rollouts", type=int, default=3400, help="of one job, each of three branches")
    parser.add_argument("--jobs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        script = Path(folder) / "script.json"
        script.write_text(json.dumps(SCRIPT))
        port = free_port()
        settings = {
            "ANABRANCH_STATE": folder,
            "ANABRANCH_ENGINE": "scripted",
            "ANABRANCH_RAY": "true",
            "ANABRANCH_SCRIPT": str(script),
            "ANABRANCH_PORT": str(port),
        }
        service = Service(settings, f"memory-{os.getpid()}", Path(folder) / "up.log")
        service.start()
        try:
            with Client(f"http://127.0.0.1:{port}") as client:
                measure(service, client, options)
        finally:
            service.kill_all()


def measure(service: Service, client: Client, options: argparse.Namespace) -> None:
    print(f"{'':>14}{'branches':>10}{'events':>9}{'seconds':>9}{'organizer':>11}{'replica':>9}{'REST':>7}")
    tell("before", "", resident(service))
    for _ in range(options.jobs):
        params = {"iterations": options.rollouts, "parallel": 64, "branching": 64}
        job = client.submit("Which way?", policy={"name": "mcts", "params": params}).id
        began, most = time.monotonic(), [0.0, 0.0, 0.0]
        while not (row := client.get(job)).ended:
            most = list(map(max, most, resident(service)))
            time.sleep(LOOK_SECONDS)
        took = time.monotonic() - began
        time.sleep(REST_SECONDS)
        assert row.answer is not None, row.error
        facts = f"{row.metrics.branches:>10,}{row.head_seq:>9,}{took:>9.0f}"
        tell("at most", facts, most)
        tell("after", "", resident(service))


def resident(service: Service) -> list[float]:
    """MiB of each."""
    return [mib(service.pids(role)[0]) for role in ("organizer", "replica")] + [mib(service.pid)]


def mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def tell(when: str, facts: str, told: list[float]) -> None:
    organizer, replica, rest = told
    print(f"{when:>14}{facts:>28}{organizer:>11.0f}{replica:>9.0f}{rest:>7.0f}", flush=True)


if __name__ == "__main__":
    main()
