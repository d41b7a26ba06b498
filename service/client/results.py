"""Describes what the service tells, typed: jobs, events, text, approvals.

The shapes are the API's (`service/api/views`); a test holds them together. Unknown fields are kept in `as_json()`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, model_validator

from anabranch.dag.events import AT_THE_END
from anabranch.dag.status import TERMINAL, JobStatus

Json = dict[str, Any]
LAST_KINDS = frozenset(kind.__name__ for kind in AT_THE_END)


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


class ToolCall(Told):
    """A call of one of the caller's tools; a turn with its result names its id."""

    id: str
    name: str
    arguments: str
    """JSON of an object, as the model wrote it."""


class Citation(Told):
    """A passage of a knowledge source that an answer cites."""

    number: int
    """As it stands in the answer, in brackets."""
    source: str
    """The operator's tool that gave it."""
    branch: str
    """The branch that called the tool."""
    title: str = ""
    url: str = ""
    text: str = ""
    """How the passage begins."""


class Answer(Told):
    text: str
    sources: tuple[str, ...]
    """The branches that it was made from."""
    forced: bool = False
    """Given from what there was, because a limit was near."""
    truncated: bool = False
    """A limit of tokens cut its text."""
    calls: tuple[ToolCall, ...] = ()
    """What it calls, behind its text, which may be empty then."""
    citations: tuple[Citation, ...] = ()
    """Passages that the text cites by their numbers."""


class JobError(Told):
    """Why a job failed."""

    type: str
    title: str
    detail: str


class Usage(Told):
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int = 0
    """Of completion_tokens, those of thoughts."""
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
    usage_at_least: bool = False
    """Who counted some of the tokens was lost: these were decoded, perhaps more."""
    usage_estimated: bool = False
    """Some of the tokens nobody counted: they are told by the text's length."""


class Lineage(Told):
    """Where an edited re-run comes from."""

    job: str
    branch: str
    output: str | None


class AnswerFormat(Told):
    json_schema: Json | None = None
    regex: str | None = None
    choice: tuple[str, ...] | None = None
    strict: bool = False
    """Of a schema: an upstream is told to keep to all of it."""
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    logprobs: int | None = None
    """So many of the likeliest tokens are told at each place of the answer; None: no tokens are told."""


class Sampling(Told):
    """None leaves the choice to the model, or, of tokens, is no limit."""

    temperature: float | None
    top_p: float | None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    max_tokens: int | None
    thinking: str = "auto"
    thinking_tokens: int | None = None
    keep_tokens: bool = False


class Tool(Told):
    name: str
    description: str
    parameters: Json
    strict: bool = False


class Tools(Told):
    """What a job's answer may call."""

    offered: tuple[Tool, ...]
    required: bool
    several: bool


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
    sampling: Sampling
    answer_format: AnswerFormat | None = None
    tools: Tools | None = None
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
    waiting_for: str | None = None
    """What its decodes wait for, where a pool that they need has no replica."""

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
        """Nothing but ratings follows it: the job has ended."""
        return self.kind in LAST_KINDS


class Text(Told):
    """What a branch has written since its last piece, told while it is decoded. Each piece goes on where the one before
    ended, but for a decode that begins anew: then whatever was told behind `at` and `reasoning_at` is replaced."""

    branch: str
    segment: int
    final: bool = False
    """It is of the final thought: the answer, or what is voted on."""
    at: int
    """Characters of the segment's text before `text`."""
    text: str = ""
    reasoning_at: int = 0
    """Characters of its thoughts before `reasoning`."""
    reasoning: str = ""


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


class JobPage(Told):
    items: tuple[Job, ...]
    next_cursor: str | None


class EventPage(Told):
    items: tuple[Event, ...]
    next_after: int | None


class Approvals(Told):
    items: tuple[Approval, ...]
    next_cursor: str | None = None
