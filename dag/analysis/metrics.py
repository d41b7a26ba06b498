"""Computes how parallel a job was, and what it cost. All from the graph; each docstring gives formula, unit and
source.

A *critical path* is the longest chain of nodes that depend on each other and lead to the answer. There are two, by what
a node weighs: decoded tokens, or seconds of work. Nothing else is called critical: in particular not the chain of what
was waited for last by the clock, which also counts queues.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import Node, ReasoningGraph, build
from anabranch.dag.ids import BranchId

Weight = Callable[[Node], float]


def by_tokens(node: Node) -> float:
    """Decoded tokens; prefill, queue and network are free (AsyncThink section 1.3)."""
    return float(node.tokens)


def by_seconds(node: Node) -> float:
    """Seconds of work, waiting left out."""
    return node.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What a job's record shows (the contract's `metrics`)."""

    critical_path_tokens: int
    total_tokens: int
    parallelism: float
    waste_tokens: int
    critical_path_seconds: float
    wall_seconds: float
    queue_seconds: float
    branches: int
    usage_at_least: bool
    """Who counted some of the tokens was lost: these were decoded, perhaps more."""
    usage_estimated: bool
    """Some of the tokens nobody counted: they are told by the text's length."""


def longest_path(graph: ReasoningGraph, weight: Weight = by_tokens) -> tuple[float, tuple[str, ...]]:
    """T and its nodes: the heaviest chain of dependent nodes that ends at the answer, or, without an answer, anywhere.

    Equals AsyncThink's recurrence l_i = max(l_(i-1) + f_i, l_(j-1) + f_j(before k) + w_k) (arXiv 2510.26658; protocols
    section 1.3): a branch that nobody joined is on no path to the answer. Of equal chains the one counts that was
    recorded first. Iterative, O(V + E).
    """
    best: dict[str, float] = {}
    via: dict[str, str | None] = {}
    for name in graph.in_order():
        before = max(graph.predecessors(name), key=best.__getitem__, default=None)
        via[name] = before
        best[name] = weight(graph.node(name)) + (best[before] if before is not None else 0.0)
    if not best:
        return 0.0, ()
    end = graph.end or max(best, key=best.__getitem__)
    path: list[str] = []
    at: str | None = end
    while at is not None:
        path.append(at)
        at = via[at]
    return best[end], tuple(reversed(path))


def critical_by_tokens(graph: ReasoningGraph) -> tuple[str, ...]:
    """The nodes of the critical path in tokens: what `critical_path_tokens` sums."""
    return longest_path(graph, by_tokens)[1]


def critical_by_seconds(graph: ReasoningGraph) -> tuple[str, ...]:
    """The nodes of the critical path in seconds: what `critical_path_seconds` sums. It may be another chain."""
    return longest_path(graph, by_seconds)[1]


def total_tokens(graph: ReasoningGraph) -> int:
    """L: all decoded tokens, in every branch, read or not."""
    return sum(node.tokens for node in graph.nodes())


def waste_tokens(graph: ReasoningGraph) -> int:
    """Tokens that no answer used: in nodes that do not lead to the answer, and in pruned branches. 0 while there is no
    answer to judge by."""
    if graph.end is None:
        return 0
    used = graph.leading_to(graph.end)
    return sum(node.tokens for node in graph.nodes() if node.id not in used or node.branch in graph.pruned)


def parallelism(total: float, critical: float) -> float:
    """P = L / T (Multiverse's '# parallel', ThreadWeaver's self-parallelism); 1.0 for an empty job."""
    return total / critical if critical else 1.0


def makespan(graph: ReasoningGraph, capacity: int, weight: Weight = by_tokens) -> float:
    """When the answer is there if at most `capacity` segments are decoded at once: a list schedule in journal order.

    With unlimited capacity it is T. Branches that nobody joined take their places, but are not waited for.

    Raises ValueError for a capacity below 1.
    """
    if capacity < 1:
        raise ValueError(f"a capacity of {capacity} decodes nothing")
    waiting = {node.id: sum(1 for _ in graph.predecessors(node.id)) for node in graph.nodes()}
    place = {name: index for index, name in enumerate(graph.in_order())}
    ready = [(place[name], name) for name, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    running: list[tuple[float, int, str]] = []
    now, done = 0.0, {}
    while ready or running:
        while ready and len(running) < capacity:
            index, name = heapq.heappop(ready)
            heapq.heappush(running, (now + weight(graph.node(name)), index, name))
        now, _, name = heapq.heappop(running)
        done[name] = now
        for successor in graph.graph.successors(name):
            waiting[successor] -= 1
            if waiting[successor] == 0:
                heapq.heappush(ready, (place[successor], successor))
    return done[graph.end] if graph.end else max(done.values(), default=0.0)


def slack(graph: ReasoningGraph, weight: Weight = by_tokens) -> Mapping[BranchId, float]:
    """Per branch that leads to the answer: by how much its heaviest path falls short of T. 0 is critical; that much
    longer could it have been at no cost."""
    if graph.end is None:
        return {}
    inside = graph.leading_to(graph.end)
    order = [name for name in graph.in_order() if name in inside]
    before: dict[str, float] = {}
    for name in order:
        earlier = max((before[p] for p in graph.predecessors(name)), default=0.0)
        before[name] = earlier + weight(graph.node(name))
    behind: dict[str, float] = {}
    for name in reversed(order):
        later = (behind[s] + weight(graph.node(s)) for s in graph.graph.successors(name) if s in inside)
        behind[name] = max(later, default=0.0)
    whole = before[graph.end]
    found: dict[BranchId, float] = {}
    for name in order:
        branch = graph.node(name).branch
        found[branch] = min(found.get(branch, whole), whole - before[name] - behind[name])
    return found


def measure(records: Iterable[e.Record]) -> Metrics:
    """The metrics of a journal, or of the part of it that is there yet."""
    return metrics_of(build(records))


def metrics_of(graph: ReasoningGraph) -> Metrics:
    """The same for whoever has grown the graph event by event, and kept no journal."""
    critical, _ = longest_path(graph)
    critical_seconds, _ = longest_path(graph, by_seconds)
    total = total_tokens(graph)
    claimed, end = graph.claimed_at, graph.answered_at or graph.last_at
    return Metrics(
        critical_path_tokens=int(critical),
        total_tokens=total,
        parallelism=parallelism(total, critical),
        waste_tokens=waste_tokens(graph),
        critical_path_seconds=critical_seconds,
        wall_seconds=end - claimed if claimed is not None else 0.0,
        queue_seconds=(claimed or graph.last_at) - graph.began_at,
        branches=len(graph.branches),
        usage_at_least=graph.usage_at_least,
        usage_estimated=graph.usage_estimated,
    )
