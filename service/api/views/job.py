"""Shows a job as clients get it."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

from anabranch.dag.decoding import Structure, Thinking
from anabranch.dag.job import AnswerFormat, Sampling
from anabranch.dag.status import JobStatus
from anabranch.dag.text import Message
from anabranch.service.api.views.tools import CallView, ToolsView, call_views, tools_view
from anabranch.service.bounded_json import cut_deep
from anabranch.service.store.rows import JobRow
from anabranch.service.store.sql.columns import utc_text

Moment = Annotated[
    datetime,
    PlainSerializer(utc_text, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-14T09:26:53.589793Z"]}),
]


class PolicyView(BaseModel):
    name: str
    params: dict[str, Any]


class BudgetView(BaseModel):
    """None is no limit."""

    tokens: int | None
    seconds: float | None
    branch_seconds: float | None
    branches: int | None
    depth: int | None
    cost: float | None


class CitationView(BaseModel):
    """A passage of a knowledge source."""

    number: int = Field(description="As it stands in the answer, in brackets.")
    source: str = Field(description="The operator's tool that gave it.")
    branch: str = Field(description="The branch that called the tool: its value has the passage in full.")
    title: str = ""
    url: str = ""
    text: str = Field("", description="How the passage begins.")


class AnswerView(BaseModel):
    text: str
    sources: list[str] = Field(
        description="The branches that the answer was made from.", examples=[["0.1", "0.3"]]
    )
    forced: bool = Field(False, description="Given from what there was, because a limit was near.")
    truncated: bool = Field(False, description="A limit of tokens cut its text.")
    calls: list[CallView] = Field(
        [], description="Tools of the client's that it calls, behind its text, which may be empty then."
    )
    citations: list[CitationView] = Field([], description="Passages that the text cites by their numbers.")


class ErrorView(BaseModel):
    type: str
    title: str
    detail: str


class SamplingView(BaseModel):
    """None leaves the choice to the model, or, of tokens, is no limit."""

    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    presence_penalty: float | None
    frequency_penalty: float | None
    repetition_penalty: float | None
    max_tokens: int | None
    thinking: Thinking
    thinking_tokens: int | None
    keep_tokens: bool = False


class UsageView(BaseModel):
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int = Field(description="Of completion_tokens, those of thoughts.")
    cost: float


class MetricsView(BaseModel):
    """T, L, P, waste and times. They are exact once the job has ended."""

    critical_path_tokens: int = 0
    total_tokens: int = 0
    parallelism: float = 1.0
    waste_tokens: int = 0
    critical_path_seconds: float = 0.0
    wall_seconds: float = 0.0
    queue_seconds: float = 0.0
    branches: int = 1
    usage_at_least: bool = Field(
        default=False,
        description="Who counted some of its tokens was lost: these were decoded, perhaps more.",
    )
    usage_estimated: bool = Field(
        default=False, description="Some of its tokens nobody counted: they are told by the text's length."
    )


class LineageView(BaseModel):
    job: str = Field(description="The job that it comes from.")
    branch: str = Field(description="The edited branch.")
    output: str | None = Field(description="What it returned instead.")


class AnswerFormatView(BaseModel):
    json_schema: dict[str, Any] | None
    regex: str | None
    choice: list[str] | None
    strict: bool = False
    stop: list[str]
    max_tokens: int | None
    logprobs: int | None


class JobView(BaseModel):
    id: str
    status: JobStatus
    waiting_for: str | None = Field(
        None, description="What its decodes wait for, where a pool that they need has no replica."
    )
    question: str
    messages: list[dict[str, Any]] = Field(description="Empty where a raw prompt was sent.")
    prompt: str | None = Field(
        None, description="The raw prompt, where one was sent; `question` then says the same."
    )
    policy: PolicyView
    budget: BudgetView
    priority: int
    seed: int
    model: str | None
    sampling: SamplingView
    answer_format: AnswerFormatView | None = Field(None, description="Null where the answer may be any text.")
    tools: ToolsView | None = Field(None, description="What the answer may call. Null: nothing.")
    approvals: list[str]
    metadata: dict[str, Any]
    lineage: LineageView | None = Field(description="On an edited re-run: where it comes from.")
    answer: AnswerView | None
    error: ErrorView | None
    usage: UsageView
    metrics: MetricsView
    trace_id: str
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    attempt: int
    head_seq: int = Field(description="Events in its journal.")
    cancel_requested: bool


class JobPage(BaseModel):
    items: list[JobView]
    next_cursor: str | None


def job_view(row: JobRow, waiting_for: str | None = None) -> JobView:
    spec = row.spec
    return JobView(
        id=row.id,
        status=row.status,
        waiting_for=waiting_for,
        question=spec.question,
        messages=[] if spec.raw else [_message(message) for message in spec.messages],
        prompt=spec.question if spec.raw else None,
        policy=PolicyView(name=spec.policy, params=cut_deep(dict(spec.params))),
        budget=BudgetView(
            tokens=spec.budget.tokens,
            seconds=spec.budget.seconds,
            branch_seconds=spec.budget.branch_seconds,
            branches=spec.budget.branches,
            depth=spec.budget.depth,
            cost=spec.budget.cost,
        ),
        priority=spec.priority,
        seed=spec.seed,
        model=spec.model,
        sampling=_sampling(spec.sampling),
        answer_format=_answer_format(spec.answer_format),
        tools=tools_view(spec.answer_format.tools),
        approvals=list(spec.approvals),
        metadata=cut_deep(dict(spec.metadata)),
        lineage=LineageView(**asdict(spec.lineage)) if spec.lineage else None,
        answer=_answer(row),
        error=ErrorView.model_validate(row.error) if row.error else None,
        usage=UsageView(
            prompt_tokens=row.usage.prompt_tokens,
            cached_tokens=row.usage.cached_tokens,
            completion_tokens=row.usage.completion_tokens,
            reasoning_tokens=row.usage.reasoning_tokens,
            cost=row.cost,
        ),
        metrics=_metrics(row),
        trace_id=row.trace_id,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        attempt=row.attempt,
        head_seq=row.head_seq,
        cancel_requested=row.cancel_requested is not None,
    )


def _sampling(sampling: Sampling) -> SamplingView:
    told = asdict(sampling)
    return SamplingView(**told.pop("draw"), **told)


def _answer_format(asked: AnswerFormat) -> AnswerFormatView | None:
    if replace(asked, tools=None) == AnswerFormat():
        return None
    form = asked.structure or Structure()
    return AnswerFormatView(
        json_schema=None if form.json_schema is None else cut_deep(dict(form.json_schema)),
        regex=form.regex,
        choice=None if form.choice is None else list(form.choice),
        strict=form.strict,
        stop=list(asked.stop),
        max_tokens=asked.max_tokens,
        logprobs=asked.logprobs,
    )


def _metrics(row: JobRow) -> MetricsView:
    if row.metrics is not None:
        return MetricsView.model_validate(row.metrics)
    return MetricsView(total_tokens=row.usage.completion_tokens)


def _answer(row: JobRow) -> AnswerView | None:
    if not row.answer:
        return None
    return AnswerView.model_validate({**row.answer, "calls": call_views(row.id, row.answer.get("calls", ()))})


def _message(message: Message) -> dict[str, Any]:
    content = "".join(part for part in message.parts if isinstance(part, str))
    told: dict[str, Any] = {"role": message.role, "content": content}
    if message.calls:
        told["tool_calls"] = [asdict(call) for call in message.calls]
    return told | ({"tool_call_id": message.result_of} if message.result_of else {})
