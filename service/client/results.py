"""Describes what the service tells, typed: a job, its events, its graph, its branches.

The shapes are the API's (`service/api/views`); a test holds them together. A service may tell more than this release
knows: unknown fields are kept in `as_json()` and are no error.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, model_validator

from anabranch.dag.events import TERMINAL_OF_JOB
from anabranch.dag.status import TERMINAL, BranchStatus, JobStatus, NodeStatus

if TYPE_CHECKING:
    import networkx as nx

Json = dict[str, Any]
LAST_KINDS = frozenset(kind.__name__ for kind in TERMINAL_OF_JOB)


class Told(BaseModel):
    """Base of all results: read-only, and made of what the service told."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    _told: Json = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, told: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        found = read(told)
        if isinstance(told, Mapping):
            found._told = dict(told)  # noqa: SLF001 - its own, while it is made
        return found

    def as_json(self) -> Json:
        """Exactly what the service told."""
        return self._told


class Policy(Told):
    name: str
    params: Json


class Budget(Told):
    """None is no limit."""

    tokens: int | None = None
    seconds: float | None = None
    branch_seconds: float | None = None
    branches: int | None = None
    depth: int | None = None
    cost: float | None = None


class Answer(Told):
    text: str
    sources: tuple[str, ...]
    """The branches that it was made from."""
    forced: bool = False
    """Given from what there was, because a limit was near."""
    truncated: bool = False
    """A limit of tokens cut its text."""


class JobError(Told):
    """Why a job failed."""

    type: str
    title: str
    detail: str


class Usage(Told):
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: float = 0.0


class Metrics(Told):
    """T, L, P, waste and times. They are exact once the job has ended."""

    critical_path_tokens: int
    total_tokens: int
    parallelism: float
    waste_tokens: int
    critical_path_seconds: float
    wall_seconds: float
    queue_seconds: float
    branches: int


class Lineage(Told):
    """Where an edited re-run comes from."""

    job: str
    branch: str
    output: str | None


class AnswerFormat(Told):
    json_schema: Json | None = None
    regex: str | None = None
    choice: tuple[str, ...] | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None


class Job(Told):
    id: str
    status: JobStatus
    question: str
    messages: tuple[Json, ...] = ()
    prompt: str | None = None
    policy: Policy
    budget: Budget
    priority: int
    seed: int
    model: str | None = None
    sampling: Json = {}
    answer_format: AnswerFormat | None = None
    approvals: tuple[str, ...] = ()
    metadata: Json
    lineage: Lineage | None = None
    answer: Answer | None
    """None until the job has succeeded."""
    error: JobError | None
    """None unless the job failed."""
    usage: Usage
    metrics: Metrics
    trace_id: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    head_seq: int = 0
    cancel_requested: bool = False

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL


class Event(Told):
    """Something that happened to a job; `seq` is its place in the journal."""

    job: str
    seq: int
    epoch: int
    at: datetime
    kind: str
    branch: str
    payload: Json

    @property
    def last(self) -> bool:
        """Nothing follows it: the job has ended."""
        return self.kind in LAST_KINDS


class Text(Told):
    """A piece of what a branch is writing, told while it is decoded: of its text, or of its thoughts."""

    branch: str
    segment: int
    at: int
    """The character of the segment's text, or of its thoughts, at which it begins."""
    text: str = ""
    reasoning: str = ""

    @property
    def end(self) -> int:
        return self.at + len(self.text or self.reasoning)

    def behind(self, heard: int) -> "Text | None":
        """The part of it behind so many characters, which were heard before; None where nothing is new."""
        known = heard - self.at
        if known <= 0:
            return self
        if self.end <= heard:
            return None
        return self.model_copy(
            update={"at": heard, "text": self.text[known:], "reasoning": self.reasoning[known:]}
        )


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
    continuation: str
    raw: bool = False


class Segment(Told):
    """An uninterrupted stretch of decoding in a branch."""

    segment: int
    attempt: int
    continues: bool
    inserted: str
    removed: int
    text: str
    kept: bool
    finish_reason: str
    tokens: int
    structured: bool
    grammar: str | None


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
    flags: tuple[str, ...]
    cause: str | None
    finish_reason: str | None
    usage: Usage
    segments: tuple[Segment, ...]
    scores: tuple[Score, ...]
    consumed_by: tuple[Consumer, ...]


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


class Approval(Told):
    """A gate where a job waits for a person, or waited."""

    id: str
    job: str
    approval: int
    branch: str
    gate: str
    subject: str
    question: str
    requested_at: datetime
    timeout: float | None
    default: str
    decision: str | None
    edit: str | None
    reason: str | None
    decided_at: datetime | None


class Preset(Told):
    about: str
    params: Json


class PolicyInfo(Told):
    """A policy of the catalogue; `params` is the JSON Schema of its parameters."""

    name: str
    title: str
    paper: str
    use_when: str = ""
    version: str = ""
    params: Json
    presets: dict[str, Preset] = {}
    default: bool = False
    answer_format: bool = False


class JobPage(Told):
    items: tuple[Job, ...]
    next_cursor: str | None


class EventPage(Told):
    items: tuple[Event, ...]
    next_after: int | None


class Approvals(Told):
    items: tuple[Approval, ...]


class Policies(Told):
    items: tuple[PolicyInfo, ...]
