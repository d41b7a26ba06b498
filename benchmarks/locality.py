"""Counts how much of what decodes read is cached where they are sent, over all policies on four replicas.

    python benchmarks/locality.py

In virtual time, with a modelled prefix cache (`tests/workers/pool/locality.py`): the same numbers on every machine.
Beside Anabranch's placement: round robin, and the rule of Ray Serve's PrefixCacheAffinityRouter with its own prefix
tree and default thresholds (any load is balanced; below a tenth of the prompt matched, the smallest tree's tenant).
"""

from collections.abc import Callable, Mapping

from ray.llm._internal.serve.routing_policies.prefix_aware.prefix_tree import PrefixTree
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

from anabranch.workers.messages import DecodeRequest
from anabranch.workers.prefixes import text_of

MATCH_RATE = 0.1
"""`match_rate_threshold` of Ray's router."""


class RaysPrefixes:
    """Ray's rule: the replicas that match best if enough is matched, else those whose trees are smallest."""

    def __init__(self) -> None:
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
    print(
        "tokens cached where they are read, of those cached anywhere; in brackets the most decodes on one replica"
    )
    print(
        f"{'policy':24}" + "".join(f"{name:>24}" for name in ROUTERS) + f"{'could be cached':>18}{'read':>10}"
    )
    totals = {name: Counted() for name in ROUTERS}
    for policy in POLICIES:
        counted = {name: Cluster(router()).run(jobs_of(policy)) for name, router in ROUTERS.items()}
        for name, each in counted.items():
            totals[name].read += each.read
            totals[name].could += each.could
            totals[name].cached += each.cached
            totals[name].most = max(totals[name].most, each.most)
        print(row(policy, counted))
    print(row("all", totals))


def row(policy: str, counted: Mapping[str, Counted]) -> str:
    shares = "".join(f"{each.share:>18.1%} ({each.most:>3})" for each in counted.values())
    first = next(iter(counted.values()))
    return f"{policy:24}{shares}{first.could:>18,}{first.read:>10,}"


if __name__ == "__main__":
    main()
