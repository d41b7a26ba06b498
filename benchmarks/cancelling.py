"""Measures how long a cancel takes from the client's request to the engine's abort, on a real vLLM.

    anabranch up &
    python benchmarks/cancelling.py --url http://127.0.0.1:8000 --jobs 100

Each job decodes four long branches. Once all of them write, the client cancels it; told is, for each branch, the time
from just before the request was sent until the engine had given its decode up, as the replica noted it (`finished` of
the aborted segment). Client, service and engine must share a machine's clock.
"""

import argparse
import time
from math import ceil

from anabranch.client import Client, Text
from anabranch.dag.decoding import Finish

GOAL_MS = 100.0
QUESTION = "Tell a very long story about a river, and do not stop."


def abort_times(client: Client, branches: int) -> list[float]:
    """Milliseconds until each decode of one cancelled job had been given up."""
    job = client.submit(
        QUESTION,
        policy={"name": "self-consistency", "params": {"n": branches, "stop": "all"}},
        sampling={"max_tokens": 1000},
    ).id
    writing: set[str] = set()
    for told in client.follow(job, text="all"):
        if isinstance(told, Text):
            writing.add(told.branch)
        if len(writing) == branches:
            break
    sent = time.time()
    client.cancel(job)
    client.wait(job)
    ends = [event.payload["decoded"] for event in client.events(job) if event.kind == "SegmentFinished"]
    return [1000 * (end["timing"]["finished"] - sent) for end in ends if end["finish"] == Finish.ABORT]


def quantile(values: list[float], share: float) -> float:
    """By nearest rank."""
    return sorted(values)[ceil(share * len(values)) - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a cancel takes to reach the engine.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--branches", type=int, default=4)
    asked = parser.parse_args()
    with Client(asked.url) as client:
        took = [each for _ in range(asked.jobs) for each in abort_times(client, asked.branches)]
    if not took:
        raise SystemExit("No decode was aborted: all had ended before. Take a larger model, or max_tokens.")
    p50, p99 = quantile(took, 0.5), quantile(took, 0.99)
    print(
        f"{len(took)} aborts of {asked.jobs} jobs: p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {max(took):.1f} ms"
    )
    print(f"goal: p99 <= {GOAL_MS:g} ms: {'met' if p99 <= GOAL_MS else 'not met'}")


if __name__ == "__main__":
    main()
