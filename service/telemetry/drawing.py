"""Holds a trace while it is being drawn: nodes by name, opened, told more, and closed as the journal is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.state import JobState
from anabranch.service.telemetry import ids, names
from anabranch.service.telemetry.ids import TraceOrigin
from anabranch.service.telemetry.messages import Content, span_attributes, tool_attributes, written
from anabranch.service.telemetry.span import Event, Kind, Link, Span, Status, Value

_CONVENTIONS = ("gen_ai.", "server.", "error.")
"""What an event of the conventions tells of its span."""


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
    content: Content | None = None
    """What went in and came out; None where nobody wants it, or there is none."""

    @property
    def finish(self) -> str:
        """Why what came out ended, in the conventions' words."""
        reasons = self.attributes.get(names.FINISH_REASONS)
        return reasons[-1] if isinstance(reasons, tuple) and reasons else "stop"

    def shown(self) -> Iterable[tuple[str, Value]]:
        """Its content as attributes."""
        if self.content is None:
            return ()
        if names.TOOL_NAME in self.attributes:
            return tool_attributes(self.content)
        return span_attributes(self.content, self.finish)


@dataclass(frozen=True, slots=True)
class Score:
    """A number that a branch was given."""

    branch: BranchId
    by: str
    value: float
    detail: str
    at: int


@dataclass(slots=True)
class Drawing:
    """What the events so far amount to."""

    job: JobId
    pool_model: str
    """Names the model of decodes that asked for none."""
    state: JobState | None = None
    """Folded along where content is wanted: what a decode was sent is rendered from it."""
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
    """The node of each branch's latest decode; of two of the same segment, of the one that counts."""
    segments: dict[str, str] = field(default_factory=dict)
    """The decode of each segment, which is named as in the reasoning graph."""
    scores: list[Score] = field(default_factory=list)

    def open(
        self,
        node: str,
        parent: str | None,
        name: str,
        attributes: Mapping[str, Value],
        kind: Kind = Kind.INTERNAL,
    ) -> None:
        told = dict(attributes)
        if names.OPERATION in told:
            told |= {names.CONVERSATION: self.job, names.SESSION: self.job}
        self.nodes[node] = Node(parent=parent, name=name, start=self.now, kind=kind, attributes=told)

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

    def spans(self, origin: TraceOrigin, *, content: bool = False) -> list[Span]:
        """All nodes as spans, in the order in which they began."""
        self._stretch_forks()
        drawn = [self._span(name, node, origin, content) for name, node in self.nodes.items()]
        return sorted(drawn, key=lambda span: span.start_ns)

    def events(self, origin: TraceOrigin, *, content: bool = False) -> list[Event]:
        """The details of all decodes that have ended, and all scores, in the order in which they came."""
        decodes = [
            self._details(name, node, origin, content)
            for name, node in self.nodes.items()
            if node.end is not None and node.attributes.get(names.OPERATION) == names.CHAT
        ]
        scores = [self._scored(score, origin, content) for score in self.scores]
        return sorted([*decodes, *scores], key=lambda event: event.at_ns)

    def _details(self, name: str, node: Node, origin: TraceOrigin, content: bool) -> Event:
        told = {key: value for key, value in node.attributes.items() if key.startswith(_CONVENTIONS)}
        messages: dict[str, object] = {}
        if content and node.content is not None:
            messages = {names.INPUT_MESSAGES: node.content.sent}
            if wrote := written(node.content, node.finish):
                messages[names.OUTPUT_MESSAGES] = wrote
        return self._event(names.DETAILS_EVENT, name, origin, node.end or self.now, told | messages)

    def _scored(self, score: Score, origin: TraceOrigin, content: bool) -> Event:
        told: dict[str, object] = {names.EVALUATION: score.by, names.EVALUATION_SCORE: score.value}
        if content and score.detail:
            told[names.EVALUATION_EXPLANATION] = score.detail
        told[names.CONVERSATION] = self.job
        node = ids.branch_node(score.branch)
        return self._event(names.EVALUATION_EVENT, node, origin, score.at, told)

    def _event(
        self, name: str, node: str, origin: TraceOrigin, at: int, attributes: Mapping[str, object]
    ) -> Event:
        span_id = ids.span_id_of(self.job, node)
        return Event(trace_id=origin.trace_id, span_id=span_id, name=name, at_ns=at, attributes=attributes)

    def _stretch_forks(self) -> None:
        """A fork lasts until the last of its children has ended."""
        for node in self.nodes.values():
            parent = self.nodes.get(node.parent or "")
            if parent is not None and parent.name == names.FORK:
                parent.end = max(parent.end or 0, self.now if node.end is None else node.end)

    def _span(self, name: str, node: Node, origin: TraceOrigin, content: bool) -> Span:
        open_still: dict[str, Value] = {names.UNFINISHED: True} if node.end is None else {}
        shown = dict(node.shown()) if content else {}
        return Span(
            trace_id=origin.trace_id,
            span_id=ids.span_id_of(self.job, name),
            parent_span_id=origin.span_id if node.parent is None else ids.span_id_of(self.job, node.parent),
            name=node.name,
            kind=node.kind,
            start_ns=node.start,
            end_ns=max(node.start, self.now if node.end is None else node.end),
            status=node.status,
            attributes={names.NODE: name} | node.attributes | open_still | shown,
            links=tuple(
                Link(span_id=ids.span_id_of(self.job, source), attributes={names.EDGE: edge})
                for source, edge in node.links
            ),
        )
