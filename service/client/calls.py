"""Words each request to the service, and how its reply is read. Nothing here touches a socket."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypedDict, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from anabranch.service.bounded_json import check_json
from anabranch.service.client.batches import Batch
from anabranch.service.client.errors import UnreadableReply
from anabranch.service.client.evaluations import Evaluation, Evaluations, EvaluationSummary, Trial
from anabranch.service.client.journals import Audit, Branch, Graph
from anabranch.service.client.policies import Policies, PolicyInfo
from anabranch.service.client.results import (
    Approval,
    Approvals,
    EventPage,
    Job,
    JobPage,
    Json,
)
from anabranch.service.client.webhooks import Endpoint, Endpoints, WebhookAttempt

T = TypeVar("T")
Part = TypeVar("Part")
Model = TypeVar("Model", bound=BaseModel)
WhichText = Literal["answer", "all"]
"""Whose text is streamed: the final thought's, or every branch's."""
UPLOAD_SECONDS = 600.0
"""For which the service may check the lines of a batch."""
MAX_PAGE = 200
"""Jobs in one page of a listing."""


class JobFields(TypedDict, total=False):
    """What a job may be told besides its question; the service's `/docs` says what each means."""

    messages: Sequence[Mapping[str, Any]]
    prompt: str
    policy: str | Mapping[str, Any]
    """Its name, or {"name": …, "params": {…}}."""
    budget: Mapping[str, Any]
    priority: int
    seed: int
    model: str
    sampling: Mapping[str, Any]
    answer_format: Mapping[str, Any]
    tools: Sequence[Mapping[str, Any]]
    tool_choice: str
    parallel_tool_calls: bool
    approvals: Sequence[str]
    webhook: Mapping[str, Any]
    metadata: Mapping[str, Any]


class JobFilters(TypedDict, total=False):
    """What listed jobs have in common; the service's `/docs` says more of each."""

    status: str | None
    policy: str | None
    q: str | None
    """A part of the question."""
    said: str | None
    """A part of the question, the answer, the error, or of what a branch gave."""
    model: str | None
    seed: int | None
    error: str | None
    """The type of the error that it failed with."""
    metadata: Mapping[str, str | float] | None
    """Values that the job's metadata have; the same of its parameters and its budget."""
    param: Mapping[str, str | float] | None
    budget: Mapping[str, str | float] | None
    error_title: str | None
    """All of that error's title."""
    since: str | None
    """Made then, or later: a moment with its zone."""
    sort: str | None
    """Jobs that have ended, those with most of it first: cost, tokens, time, path, claim, waste or branches."""
    tenant: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None
    lines: bytes | None = None
    """Lines of JSON, in place of a body."""
    held: float = 0.0
    """Seconds for which the service may hold its reply."""
    repeatable: bool = True
    """To ask twice does no more than to ask once."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes
    """Empty where the reply is read as a stream."""

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how a good reply to it is read."""

    request: Request
    read: Callable[[Reply], T]


def submit(question: str | None, fields: Mapping[str, Any], key: str | None) -> Call[Job]:
    """A job with an idempotency key, made here where none is given: however often it is sent, it is one job.

    Raises BadJson for what no service takes.
    """
    body = dict(fields) | ({} if question is None else {"question": question})
    if isinstance(policy := body.get("policy"), str):
        body["policy"] = {"name": policy}
    return _call(Job, "POST", "/v1/jobs", body=body, headers={"Idempotency-Key": key or uuid.uuid4().hex})


def get(job: str, held: float = 0.0) -> Call[Job]:
    return _call(Job, "GET", _of(job), params={"wait": held} if held else {}, held=held)


def jobs(filters: JobFilters, limit: int, cursor: str | None) -> Call[JobPage]:
    asked = {**filters, "limit": limit, "cursor": cursor}
    params = {name: _facts(value) for name, value in asked.items() if value is not None}
    return _call(JobPage, "GET", "/v1/jobs", params=params)


def _facts(value: Any) -> Any:
    """KEY=VALUE of each entry; anything else as it is."""
    if not isinstance(value, Mapping):
        return value
    return [f"{key}={told if isinstance(told, str) else json.dumps(told)}" for key, told in value.items()]


def cancel(job: str) -> Call[Job]:
    return _call(Job, "POST", f"{_of(job)}/cancel")


def replay(job: str, branch: str, output: str) -> Call[Job]:
    body = {"branch": branch, "output": output}
    return _call(Job, "POST", f"{_of(job)}/replay", body=body, repeatable=False)


def events_page(job: str, after: int) -> Call[EventPage]:
    headers = {"Accept": "application/json"}
    return _call(EventPage, "GET", f"{_of(job)}/events", params={"after": after}, headers=headers)


def event_stream(job: str, after: int, text: WhichText | None) -> Request:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after else {})
    params = {} if text is None else {"text": text}
    return Request(method="GET", path=f"{_of(job)}/events", params=params, headers=headers)


def graph(job: str) -> Call[Graph]:
    return _call(Graph, "GET", f"{_of(job)}/graph")


def branch(job: str, branch: str, segment: int) -> Call[Branch]:
    return _call(Branch, "GET", f"{_of(job)}/branches/{quote(branch, safe='')}", params={"segment": segment})


def audit(job: str) -> Call[Audit]:
    return _call(Audit, "GET", f"{_of(job)}/audit")


def export(job: str, form: str) -> Request:
    return Request(method="GET", path=f"{_of(job)}/export", params={"format": form})


def approvals(status: Literal["pending", "decided"], cursor: str | None) -> Call[Approvals]:
    params = {"status": status} | ({} if cursor is None else {"cursor": cursor})
    return _call(Approvals, "GET", "/v1/approvals", params=params)


def decide(approval: str, decision: str, edit: str | None, reason: str) -> Call[Approval]:
    body: Json = {"decision": decision, "reason": reason} | ({} if edit is None else {"edit": edit})
    return _call(Approval, "POST", f"/v1/approvals/{quote(approval, safe='')}", body=body, repeatable=False)


def policies() -> Call[tuple[PolicyInfo, ...]]:
    return _part(_call(Policies, "GET", "/v1/policies"), lambda told: told.items)


def evaluations() -> Call[tuple[EvaluationSummary, ...]]:
    return _part(_call(Evaluations, "GET", "/v1/evaluations"), lambda told: told.items)


def evaluation(run: str) -> Call[Evaluation]:
    return _call(Evaluation, "GET", f"/v1/evaluations/{quote(run, safe='')}")


def create_evaluation(run: str, design: Json) -> Call[EvaluationSummary]:
    return _call(EvaluationSummary, "PUT", f"/v1/evaluations/{quote(run, safe='')}", body=design)


def judge(run: str, task: str, arm: str, job: str, score: float, detail: str) -> Call[Trial]:
    body: Json = {"task": task, "arm": arm, "job": job, "score": score, "detail": detail}
    return _call(Trial, "POST", f"/v1/evaluations/{quote(run, safe='')}/trials", body=body)


def submit_batch(lines: bytes, window: str, key: str | None) -> Call[Batch]:
    """A batch with an idempotency key, made here where none is given."""
    return _call(
        Batch,
        "POST",
        "/v1/batches",
        params={"completion_window": window},
        headers={"Idempotency-Key": key or uuid.uuid4().hex, "Content-Type": "application/jsonl"},
        lines=lines,
        held=UPLOAD_SECONDS,
    )


def batch(batch: str) -> Call[Batch]:
    return _call(Batch, "GET", f"/v1/batches/{quote(batch, safe='')}")


def cancel_batch(batch: str) -> Call[Batch]:
    return _call(Batch, "POST", f"/v1/batches/{quote(batch, safe='')}/cancel")


def batch_results(batch: str) -> Request:
    return Request(method="GET", path=f"/v1/batches/{quote(batch, safe='')}/results")


def add_webhook(url: str, events: Sequence[str]) -> Call[Endpoint]:
    body = {"url": url, "events": list(events)}
    return _call(Endpoint, "POST", "/v1/webhooks", body=body, repeatable=False)


def webhooks() -> Call[tuple[Endpoint, ...]]:
    return _part(_call(Endpoints, "GET", "/v1/webhooks"), lambda found: found.items)


def rotate_webhook(endpoint: str, overlap_seconds: float) -> Call[Endpoint]:
    path = f"/v1/webhooks/{quote(endpoint, safe='')}/rotate"
    return _call(Endpoint, "POST", path, body={"overlap_seconds": overlap_seconds}, repeatable=False)


def test_webhook(endpoint: str) -> Call[WebhookAttempt]:
    path = f"/v1/webhooks/{quote(endpoint, safe='')}/test"
    return _call(WebhookAttempt, "POST", path, repeatable=False)


def enable_webhook(endpoint: str) -> Call[Endpoint]:
    return _call(Endpoint, "POST", f"/v1/webhooks/{quote(endpoint, safe='')}/enable")


class _Ready(BaseModel):
    replicas: int


def ready() -> Call[bool]:
    """Whether there is a replica: a service without one accepts jobs all the same."""
    return _part(_call(_Ready, "GET", "/readyz"), lambda told: told.replicas > 0)


def _of(job: str) -> str:
    return f"/v1/jobs/{quote(job, safe='')}"


def _call(
    model: type[Model], method: str, path: str, *, body: Json | None = None, **rest: Any
) -> Call[Model]:
    check_json(body)
    request = Request(method=method, path=path, body=body, **rest)
    return Call(request, lambda reply: read_model(model, path, reply.body))


def _part(call: Call[T], part: Callable[[T], Part]) -> Call[Part]:
    return Call(call.request, lambda reply: part(call.read(reply)))


def read_model(model: type[Model], path: str, told: str | bytes) -> Model:
    """Raises UnreadableReply."""
    try:
        return model.model_validate(json.loads(told))
    except (ValueError, RecursionError) as error:  # pydantic's is a ValueError, too
        raise UnreadableReply(path, error) from error
