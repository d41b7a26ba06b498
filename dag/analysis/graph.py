"""Folds a journal into the reasoning DAG of its job. In `dag/` the only file that knows networkx, which
it imports where it is used: that takes a tenth of a second, and most processes never need it.

Nodes are segments ("0.2/1": the first segment of branch 0.2) and points that cost no token: "start", joins ("0/j1")
and "answer". An edge says what had to be there first: `next` in the same branch, `fork` from the parent's last finished
node, `join` from what a joined branch did last, `depends` from an input declared by the plan or read on the board.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.status import NodeStatus

if TYPE_CHECKING:
    import networkx as nx

START, ANSWER = "start", "answer"


class NodeKind(StrEnum):
    START = "start"
    SEGMENT = "segment"
    TOOL = "tool"
    JOIN = "join"
    ANSWER = "answer"


class EdgeKind(StrEnum):
    NEXT = "next"
    FORK = "fork"
    JOIN = "join"
    DEPENDS = "depends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One point of the graph. Times are Unix seconds; 0.0 is 'not yet'."""

    id: str
    branch: BranchId
    kind: NodeKind
    status: NodeStatus = NodeStatus.RUNNING
    tokens: int = 0
    started_at: float = 0.0
    first_token_at: float = 0.0
    finished_at: float = 0.0
    queued: float = 0.0
    """Seconds between its hand-over and its prefill."""

    @property
    def seconds(self) -> float:
        """How long it was worked on, waiting left out."""
        return max(0.0, self.finished_at - self.started_at - self.queued)


_STATUS = {Finish.ERROR: NodeStatus.FAILED, Finish.ABORT: NodeStatus.ABORTED}

Predecessor = tuple[str, EdgeKind]


class ReasoningGraph:
    """A job's graph, grown event by event.

    It is kept in plain dictionaries: networkx takes a kilobyte for a node, and a job may have a hundred thousand. From
    them `graph` is drawn, for who asks for edges or successors.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._before: dict[str, tuple[Predecessor, ...]] = {}
        self._drawn: nx.DiGraph[str] | None = None
        self._tip: dict[BranchId, str] = {}
        self._entry: dict[BranchId, tuple[Predecessor, ...]] = {}
        self._last_entry: tuple[Predecessor, ...] = ()
        """Siblings share theirs: a job may have a hundred thousand."""
        self._after: dict[BranchId, tuple[BranchId, ...]] = {}
        self._reads: dict[BranchId, tuple[BranchId, ...]] = {}
        self._tools: set[BranchId] = set()
        self.pruned: set[BranchId] = set()
        self.forked_at: dict[BranchId, float] = {}
        self.branches: list[BranchId] = []
        self.began_at = self.last_at = 0.0
        """The first and the last record."""
        self.claimed_at: float | None = None
        """The first claim."""
        self.answered_at: float | None = None
        self.usage_at_least = False
        """Who counted some of its tokens was lost: it has decoded those that are told, perhaps more."""
        self.usage_estimated = False
        """Some of its tokens nobody counted: they are told by the text's length."""

    @property
    def graph(self) -> "nx.DiGraph[str]":
        """Nodes by name, in the order in which they were recorded; edges with their `kind`."""
        if self._drawn is None:
            import networkx as nx

            self._drawn = nx.DiGraph()
            self._drawn.add_nodes_from(self._nodes)
            self._drawn.add_edges_from(
                (source, name, {"kind": kind})
                for name, before in self._before.items()
                for source, kind in before
            )
        return self._drawn

    def node(self, name: str) -> Node:
        return self._nodes[name]

    def nodes(self) -> Iterable[Node]:
        return self._nodes.values()

    def edges(self) -> Iterator[tuple[str, str, EdgeKind]]:
        return ((source, target, data["kind"]) for source, target, data in self.graph.edges(data=True))

    def predecessors(self, name: str) -> Iterator[str]:
        return (source for source, _ in self._before[name])

    def in_order(self) -> list[str]:
        """Node names, each behind all it depends on: as they were recorded, since nothing begins behind what is not
        there yet."""
        return list(self._nodes)

    def leading_to(self, name: str) -> set[str]:
        """The node and everything it depends on."""
        found, left = {name}, [name]
        while left:
            new = [source for source in self.predecessors(left.pop()) if source not in found]
            found.update(new)
            left += new
        return found

    @property
    def end(self) -> str | None:
        """Where the job's result stands: the answer, or as long as there is none, nothing."""
        return ANSWER if ANSWER in self._nodes else None

    # -- growing ----------------------------------------------

    def add(self, record: e.Record) -> None:
        """Fold one record."""
        if isinstance(record.event, e.JobRated):  # long after the job, perhaps
            return
        at = self.last_at = record.at.timestamp()
        match record.event:
            case e.JobSubmitted():
                self.began_at = at
                self.branches.append(TRUNK)
                self._point(START, TRUNK, NodeKind.START, at, ())
            case e.JobClaimed() if self.claimed_at is None:
                self.claimed_at = at
            case e.BranchForked() as event:
                self.branches.append(event.child)
                self.forked_at[event.child] = at
                self._entry[event.child] = self._entry_behind(event.branch)
                self._after[event.child] = event.after
                if event.tool is not None:
                    self._tools.add(event.child)
            case e.BranchesMerged() as event:
                after = (*self._after.get(event.into, ()), *event.merged)
                self._after[event.into] = tuple(dict.fromkeys(after))
            case e.SegmentStarted() as event:
                self._started(event, at)
            case e.SegmentFinished() as event:
                self._finished(event, at)
            case e.HedgeLost() as event:
                self._lost(event, at)
            case e.BranchesJoined() as event:
                tips = (source for branch in event.joined for source, _ in self._frontier(branch))
                before = (*self._frontier(event.branch), *((name, EdgeKind.JOIN) for name in tips))
                self._point(f"{event.branch}/j{event.join}", event.branch, NodeKind.JOIN, at, before)
            case e.BranchesPruned() as event:
                self.pruned.update(event.pruned)
            case e.AnswerCommitted() as event:
                self.answered_at = at
                self._point(ANSWER, TRUNK, NodeKind.ANSWER, at, self._frontier(TRUNK))
            case _:
                pass

    def _frontier(self, branch: BranchId) -> tuple[Predecessor, ...]:
        """What the branch's next node depends on; of a branch that has done nothing itself, what started it."""
        if branch in self._tip:
            return ((self._tip[branch], EdgeKind.NEXT),)
        entry = self._entry.get(branch, ())
        if not (after := self._after.get(branch)):
            return entry
        return (*entry, *((name, EdgeKind.DEPENDS) for other in after for name, _ in self._frontier(other)))

    def _entry_behind(self, branch: BranchId) -> tuple[Predecessor, ...]:
        """What a child that is forked now begins behind."""
        entry = tuple((name, EdgeKind.FORK) for name, _ in self._frontier(branch))
        if entry != self._last_entry:
            self._last_entry = entry
        return self._last_entry

    def _put(self, node: Node, before: tuple[Predecessor, ...]) -> None:
        """Of several edges from the same node the first counts."""
        kinds: dict[str, EdgeKind] = {}
        for source, kind in before:
            kinds.setdefault(source, kind)
        if len(kinds) < len(before):
            before = tuple(kinds.items())
        self._nodes[node.id] = node
        self._before[node.id] = before
        self._drawn = None

    def _point(
        self, name: str, branch: BranchId, kind: NodeKind, at: float, before: tuple[Predecessor, ...]
    ) -> None:
        node = Node(
            id=name, branch=branch, kind=kind, status=NodeStatus.FINISHED, started_at=at, finished_at=at
        )
        self._put(node, before)
        self._tip[branch] = name

    def _started(self, event: e.SegmentStarted, at: float) -> None:
        before = self._frontier(event.branch)
        if event.reads:
            read = (name for branch in event.reads for name, _ in self._frontier(branch))
            before = (*before, *((name, EdgeKind.DEPENDS) for name in read))
        kind = NodeKind.TOOL if event.branch in self._tools else NodeKind.SEGMENT
        node = Node(id=f"{event.branch}/{event.segment}", branch=event.branch, kind=kind, started_at=at)
        self._put(node, before)

    def _finished(self, event: e.SegmentFinished, at: float) -> None:
        name = f"{event.branch}/{event.segment}"
        node = self._nodes[name] = self._ended(self._nodes[name], event.decoded, at)
        if node.status is not NodeStatus.FAILED:
            self._tip[event.branch] = name

    def _ended(self, node: Node, decoded: Decoded, at: float) -> Node:
        self.usage_at_least |= decoded.usage_at_least
        self.usage_estimated |= decoded.usage_estimated
        timing = decoded.timing
        started = timing.submitted or node.started_at
        return replace(
            node,
            status=_STATUS.get(decoded.finish, NodeStatus.FINISHED),
            tokens=decoded.usage.completion_tokens,
            started_at=started,
            first_token_at=timing.first_token,
            finished_at=timing.finished or at,
            queued=max(0.0, timing.scheduled - started) if timing.scheduled else 0.0,
        )

    def _lost(self, event: e.HedgeLost, at: float) -> None:
        """The decode beside the one that counts: it leads nowhere."""
        beside, decoded = f"{event.branch}/{event.segment}", event.decoded
        node = Node(id=f"{beside}h", branch=event.branch, kind=NodeKind.SEGMENT)
        self._put(self._ended(replace(node, started_at=at), decoded, at), self._before[beside])


def build(records: Iterable[e.Record]) -> ReasoningGraph:
    """The graph of a journal, or of the part of it that is there yet."""
    graph = ReasoningGraph()
    for record in records:
        graph.add(record)
    return graph


def find_cycle(edges: Iterable[tuple[str, str]]) -> list[str] | None:
    """The nodes of one cycle in a plan's dependencies, or None when it is a true DAG."""
    import networkx as nx

    try:
        return [source for source, _ in nx.find_cycle(nx.DiGraph(list(edges)))]
    except nx.NetworkXNoCycle:
        return None
