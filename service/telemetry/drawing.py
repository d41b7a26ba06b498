"""Holds a trace while it is being drawn: nodes by name, opened, told more, and closed as the journal is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.service.telemetry import ids, names
from anabranch.service.telemetry.ids import TraceOrigin
from anabranch.service.telemetry.span import Kind, Link, Span, Status, Value


@dataclass(slots=True, kw_only=True)
class Node:
    """A span before it has ids."""

    parent: str | None
    name: str
    start: int
    kind: Kind = Kind.INTERNAL
    end: int | None = None
    status: Status = Status.UNSET
    attributes: dict[str, Value] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)
    """Node and kind of edge."""


@dataclass(slots=True)
class Drawing:
    """What the events so far amount to."""

    job: JobId
    pool_model: str
    """Names the model of decodes that asked for none."""
    now: int = 0
    """When the latest event was committed, in Unix nanoseconds."""
    nodes: dict[str, Node] = field(default_factory=dict)
    claim: str = ids.JOB_NODE
    """The node of the organizer that has the job."""
    fork: str = ""
    """The node of the latest fork, which the next child joins if it comes right behind."""
    fork_end: tuple[int, BranchId] = (0, TRUNK)
    """The last seq of that fork, and whose it is."""
    models: dict[BranchId, str] = field(default_factory=dict)
    decodes: dict[BranchId, str] = field(default_factory=dict)
    """The node of each branch's latest decode."""
    segments: dict[str, str] = field(default_factory=dict)
    """The decode of each segment, which is named as in the reasoning graph."""

    def open(
        self,
        node: str,
        parent: str | None,
        name: str,
        attributes: Mapping[str, Value],
        kind: Kind = Kind.INTERNAL,
    ) -> None:
        self.nodes[node] = Node(
            parent=parent, name=name, start=self.now, kind=kind, attributes=dict(attributes)
        )

    def close(
        self, node: str, status: Status = Status.UNSET, told: Mapping[str, Value] | None = None
    ) -> None:
        """End a node now. One that was never opened (the trunk of a job cancelled in the queue) is left out."""
        if node in self.nodes:
            closed = self.nodes[node]
            closed.end, closed.status = self.now, status
            closed.attributes.update(told or {})

    def link(self, node: str, branches: Iterable[BranchId], edge: str) -> None:
        """Say that a node waited for these branches: as span links, and as an attribute for viewers without them."""
        linked = self.nodes[node]
        linked.links.extend((ids.branch_node(branch), edge) for branch in branches)
        if linked.links:
            linked.attributes[names.PARENTS] = tuple(source for source, _ in linked.links)

    def spans(self, origin: TraceOrigin) -> list[Span]:
        """All nodes as spans, in the order in which they began."""
        self._stretch_forks()
        drawn = [self._span(name, node, origin) for name, node in self.nodes.items()]
        return sorted(drawn, key=lambda span: span.start_ns)

    def _stretch_forks(self) -> None:
        """A fork lasts until the last of its children has ended."""
        for node in self.nodes.values():
            parent = self.nodes.get(node.parent or "")
            if parent is not None and parent.name == names.FORK:
                parent.end = max(parent.end or 0, self.now if node.end is None else node.end)

    def _span(self, name: str, node: Node, origin: TraceOrigin) -> Span:
        open_still: dict[str, Value] = {names.UNFINISHED: True} if node.end is None else {}
        return Span(
            trace_id=origin.trace_id,
            span_id=ids.span_id_of(self.job, name),
            parent_span_id=origin.span_id if node.parent is None else ids.span_id_of(self.job, node.parent),
            name=node.name,
            kind=node.kind,
            start_ns=node.start,
            end_ns=max(node.start, self.now if node.end is None else node.end),
            status=node.status,
            attributes={names.NODE: name} | node.attributes | open_still,
            links=tuple(
                Link(span_id=ids.span_id_of(self.job, source), attributes={names.EDGE: edge})
                for source, edge in node.links
            ),
        )
