"""Measures who works when: concurrency over the run, how long each branch stood still for others, and how soon work
goes on behind forks and joins.
"""

from collections.abc import Iterable, Mapping

from anabranch.dag import events as e
from anabranch.dag.analysis.graph import NodeKind, ReasoningGraph
from anabranch.dag.analysis.metrics import Weight, by_tokens
from anabranch.dag.ids import BranchId


def concurrency(graph: ReasoningGraph, weight: Weight = by_tokens) -> float:
    """eta = (1/T) * sum over t = 1..T of a_t, with a_t the branches that decode at step t (AsyncThink, arXiv
    2510.26658; protocols.md section 1.3). 1.0 for an empty job.

    Every node starts as soon as all it depends on is done. The organizer counts like any branch, that is, only while it
    decodes and not while it waits in a join: so without overlap eta is 1, and eta/c the published floor of 1/c. Equals
    P = L/T when nothing runs after T; what an unjoined branch decodes after T counts for L and not here.
    """
    ends: dict[str, float] = {}
    for name in graph.in_order():
        starts = max((ends[before] for before in graph.predecessors(name)), default=0.0)
        ends[name] = starts + weight(graph.node(name))
    horizon = ends[graph.end] if graph.end else max(ends.values(), default=0.0)
    if not horizon:
        return 1.0
    spans = ((end - weight(graph.node(name)), end) for name, end in ends.items())
    return sum(min(end, horizon) - min(start, horizon) for start, end in spans) / horizon


def blocked_seconds(records: Iterable[e.Record]) -> Mapping[BranchId, float]:
    """Per branch that joined others: seconds between asking for joins and having them, all joins together. A join of
    what has ended already costs nothing; one that is still open is not counted."""
    asked: dict[tuple[BranchId, int], float] = {}
    blocked: dict[BranchId, float] = {}
    for record in records:
        match record.event:
            case e.JoinRequested(branch=branch, join=join):
                asked[branch, join] = record.at.timestamp()
            case e.BranchesJoined(branch=branch, join=join):
                waited = record.at.timestamp() - asked[branch, join]
                blocked[branch] = blocked.get(branch, 0.0) + waited
            case _:
                pass
    return blocked


def first_token_delays(graph: ReasoningGraph) -> tuple[list[float], list[float]]:
    """Seconds from each fork to its branch's first token, its wait for inputs included, and from each join to the first
    token behind it. Never below 0: the two moments are told by the clocks of two machines."""
    forked, joined = dict(graph.forked_at), dict[BranchId, float]()
    behind_forks: list[float] = []
    behind_joins: list[float] = []
    for node in graph.nodes():
        if node.kind is NodeKind.JOIN:
            joined[node.branch] = node.finished_at
        elif node.first_token_at:
            for since, delays in ((forked, behind_forks), (joined, behind_joins)):
                if (at := since.pop(node.branch, None)) is not None:
                    delays.append(max(0.0, node.first_token_at - at))
    return behind_forks, behind_joins
