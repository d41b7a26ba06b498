"""Counts how much of what decodes read is cached where they are sent, over all policies on four replicas.

    python benchmarks/locality.py
    python benchmarks/locality.py --real

The first in virtual time, with a modelled prefix cache (`tests/workers/pool/locality.py`): the same numbers on every
machine. Beside Anabranch's placement: round robin, and the rule of Ray Serve's PrefixCacheAffinityRouter with its own
prefix tree and default thresholds (any load is balanced; below a tenth of the prompt matched, the smallest tree's
tenant). The second on four real replicas, with Ray's router itself (`locality_real.py`).
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence

from tests.workers.pool.locality import (
    POLICIES,
    REPLICAS,
    Cluster,
    Counted,
    Ours,
    RoundRobin,
    Router,
    jobs_of,
)

from anabranch.workers.cluster import environment
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.prefixes import text_of

MATCH_RATE = 0.1
"""`match_rate_threshold` of Ray's router."""


class RaysPrefixes:
    """Ray's rule: the replicas that match best if enough is matched, else those whose trees are smallest."""

    def __init__(self) -> None:
        from ray.llm._internal.serve.routing_policies.prefix_aware.prefix_tree import PrefixTree

        self._tree = PrefixTree()
        self._tree.add_tenants(list(REPLICAS), 0)
        self._time = 0.0

    def place(self, request: DecodeRequest, loads: Mapping[str, int]) -> str:
        text = text_of(request.context)
        matched, tenants = self._tree.prefix_match(text, list(loads))
        if len(matched) / len(text) < MATCH_RATE:
            tenants = self._tree.get_smallest_tenants()
        replica: str = min(tenants or loads, key=lambda name: loads[name])
        self._time += 1
        self._tree.insert(text, replica, self._time)
        return replica

    def wrote(self, request: DecodeRequest, text: str, replica: str) -> None:
        """It keeps prompts only."""


ROUTERS: Mapping[str, Callable[[], Router]] = {
    "Anabranch": Ours,
    "Ray's prefix router": RaysPrefixes,
    "round robin": RoundRobin,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description="How much of what decodes read is cached where they are sent."
    )
    parser.add_argument(
        "--real", action="store_true", help="on four real replicas, of vLLM on this machine's CPUs"
    )
    parser.add_argument("--policies", nargs="*", default=POLICIES, choices=POLICIES, metavar="POLICY")
    parser.add_argument("--jobs", type=int, help="of each policy (12; real: 4)")
    parser.add_argument("--kv-cache-gib", type=float, default=0.5, help="of each real replica (0.5)")
    asked = parser.parse_args()
    environment.prepare()  # before anything imports Ray
    if asked.real:
        from benchmarks.locality_real import measure

        told = measure(asked.policies, asked.jobs or 4, asked.kv_cache_gib)
        print_table(asked.policies, told)
        return
    print_table(
        asked.policies,
        {name: model(router, asked.policies, asked.jobs or 12) for name, router in ROUTERS.items()},
    )


def model(router: Callable[[], Router], policies: Sequence[str], jobs: int) -> dict[str, Counted]:
    """By policy, in virtual time."""
    return {policy: Cluster(router()).run(jobs_of(policy, jobs)) for policy in policies}


def print_table(policies: Sequence[str], told: Mapping[str, Mapping[str, Counted]]) -> None:
    """A row for each policy, and one for all."""
    print(
        "tokens cached where they are read, of those cached anywhere; in brackets the most decodes on one replica"
    )
    print(f"{'policy':24}" + "".join(f"{name:>24}" for name in told) + f"{'could be cached':>18}{'read':>10}")
    for policy in policies:
        print(row(policy, {name: counted[policy] for name, counted in told.items()}))
    print(row("all", {name: sum_of(counted.values()) for name, counted in told.items()}))


def sum_of(each: Iterable[Counted]) -> Counted:
    """Of several policies."""
    total = Counted()
    for counted in each:
        total.read += counted.read
        total.could += counted.could
        total.cached += counted.cached
        total.most = max(total.most, counted.most)
    return total


def row(policy: str, counted: Mapping[str, Counted]) -> str:
    shares = "".join(f"{each.share:>18.1%} ({each.most:>3})" for each in counted.values())
    first = next(iter(counted.values()))
    return f"{policy:24}{shares}{first.could:>18,}{first.read:>10,}"


if __name__ == "__main__":
    main()
