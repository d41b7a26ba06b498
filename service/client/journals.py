"""Describes what is derived from a job's journal, typed: its graph, its branches, its audit."""

from datetime import datetime
from typing import TYPE_CHECKING

from anabranch.dag.status import BranchStatus, NodeStatus
from anabranch.service.client.results import Json, Told, Usage

if TYPE_CHECKING:
    import networkx as nx


class GraphNode(Told):
    """A segment, or a point that costs nothing: the start, a join, the answer."""

    id: str
    branch: str
    kind: str
    status: NodeStatus
    tokens: int = 0
    started_at: datetime | None
    first_token_at: datetime | None
    finished_at: datetime | None
    queue_seconds: float = 0.0
    critical: bool
    """On the critical path in tokens."""
    critical_seconds: bool = False
    """On the critical path in seconds of work."""


class GraphEdge(Told):
    source: str
    target: str
    kind: str


class Graph(Told):
    """The reasoning graph of a job, as it is now."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]

    def as_networkx(self) -> "nx.DiGraph[str]":
        """A directed graph: nodes by id, edges from what had to be there first; the fields are attributes."""
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph()
        for node in self.nodes:
            graph.add_node(node.id, **{name: value for name, value in node if name != "id"})
        for edge in self.edges:
            graph.add_edge(edge.source, edge.target, kind=edge.kind)
        return graph


class Context(Told):
    """What a branch was sent, to the last byte."""

    messages: tuple[Json, ...]
    thought: str = ""
    """What the branch had thought when this was sent."""
    continuation: str
    raw: bool = False


class Segment(Told):
    """An uninterrupted stretch of decoding in a branch."""

    segment: int
    attempt: int
    continues: bool
    inserted: str
    removed: int
    thought: str = ""
    text: str
    kept: bool
    finish_reason: str
    tokens: int
    reasoning_tokens: int = 0
    usage_estimated: bool = False
    """Nobody counted the tokens: they are told by the text's length."""
    usage_at_least: bool = False
    """Who counted them was lost: these were decoded, perhaps more."""
    structured: bool
    grammar: str | None
    model: str | None = None
    """Of which it was asked; None: of the default pool."""
    served_model: str | None = None
    """Which answered, as the engine or the upstream names it."""
    cost: float = 0.0


class Score(Told):
    score: float
    by: str
    detail: str


class Consumer(Told):
    """Who used what a branch returned: a join, a merge, the answer."""

    kind: str
    branch: str
    join: int | None = None


class Branch(Told):
    """One branch inside out: what it was sent, what it wrote, what became of it."""

    id: str
    parent: str | None
    role: str
    label: str
    policy: str | None
    tool: str | None
    after: tuple[str, ...]
    status: BranchStatus
    attempts: int
    replica: str | None
    engine: str | None
    context: Context | None
    """None until its first segment was asked for."""
    output: str | None
    text: str
    thought: str = ""
    flags: tuple[str, ...]
    cause: str | None
    finish_reason: str | None
    usage: Usage
    segments: tuple[Segment, ...]
    scores: tuple[Score, ...]
    consumed_by: tuple[Consumer, ...]
    model: str | None = None
    """Of which its last segment was asked; None: of the default pool."""
    served_model: str | None = None
    """Which answered, as the engine or the upstream names it."""
    waiting_for: str | None = None
    """What its decode waits for, where its pool has no replica."""


class Broken(Told):
    """The first bad record of a journal."""

    seq: int
    reason: str


class Difference(Told):
    """A value in a table that is not what the journal gives."""

    table: str
    key: tuple[str, ...]
    column: str
    stored: str
    folded: str


class Audit(Told):
    """Whether a journal is as it was written, and the tables say what it says."""

    job: str
    ok: bool
    events: int
    head_hash: str
    broken: Broken | None
    differences: tuple[Difference, ...]
