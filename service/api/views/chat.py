"""Describes OpenAI's shapes, as far as a job has something to put into them.

What would change the meaning of the answer and no job can do (tools, several choices, log probabilities) is refused;
what only describes the caller is accepted and left alone.
"""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from anabranch.service.api.views.job import JobView
from anabranch.service.api.views.requests import (
    JobRequest,
    JsonObject,
    PolicyChoice,
    Seed,
    Sent,
    SentBudget,
    SentMessage,
    SentSampling,
    Temperature,
    Tokens,
    TopP,
)

PREFIX = "anabranch/"
CHUNK = "chat.completion.chunk"

Json = dict[str, Any]


class TextPart(Sent):
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def as_sent(self) -> SentMessage:
        parts = [self.content] if isinstance(self.content, str) else [part.text for part in self.content]
        return SentMessage(role="system" if self.role == "developer" else self.role, content="".join(parts))


class StreamOptions(Sent):
    include_usage: bool = False


class Extra(Sent):
    """What OpenAI has no words for: sent under `anabranch` (the Python client's `extra_body`)."""

    params: JsonObject = Field(default={})
    budget: SentBudget = SentBudget()
    priority: int = Field(default=5, ge=0, le=9)
    metadata: JsonObject = Field(default={})


class ChatRequest(BaseModel):
    """POST /v1/chat/completions. `model` is anabranch/POLICY."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "model": "anabranch/self-consistency",
                    "messages": [{"role": "user", "content": "What is six times seven?"}],
                    "anabranch": {"params": {"n": 4}},
                }
            ]
        },
    )

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = Field(default=None, description="Of all branches together.")
    seed: Seed | None = None
    n: Literal[1] = 1
    user: str | None = Field(default=None, description="Accepted, not used.")
    metadata: JsonObject | None = None
    store: bool | None = Field(default=None, description="Accepted: a job is always kept.")
    anabranch: Extra = Extra()

    @model_validator(mode="after")
    def _one_limit(self) -> "ChatRequest":
        if self.max_completion_tokens is not None and self.anabranch.budget.tokens is not None:
            raise ValueError("give either max_completion_tokens or anabranch.budget.tokens")
        return self

    def as_job(self) -> JobRequest:
        """The same request in our words. Raises pydantic.ValidationError, e.g. where nobody asks anything."""
        extra = self.anabranch
        tokens = self.max_completion_tokens or extra.budget.tokens
        return JobRequest(
            messages=[message.as_sent() for message in self.messages],
            policy=PolicyChoice(name=self.model.removeprefix(PREFIX), params=extra.params),
            budget=extra.budget.model_copy(update={"tokens": tokens}),
            priority=extra.priority,
            seed=self.seed,
            sampling=SentSampling(temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens),
            approvals=[],
            metadata=(self.metadata or {}) | extra.metadata,
        )


def model_json(name: str) -> Json:
    return {"id": PREFIX + name, "object": "model", "created": 0, "owned_by": "anabranch"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all parts of one completion say alike."""

    job: str
    model: str
    created: int
    """Unix seconds: when the job was."""

    def around(self, kind: str, content: Json) -> Json:
        told = {"id": f"chatcmpl-{self.job}", "object": kind, "created": self.created, "model": self.model}
        return told | content


def completion_json(envelope: Envelope, job: JobView) -> Json:
    """The answer of a succeeded job as a chat completion."""
    assert job.answer is not None
    message = {"role": "assistant", "content": job.answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason(job), "logprobs": None}
    return envelope.around("chat.completion", {"choices": [choice], "usage": usage_json(job)})


def chunk_json(envelope: Envelope, delta: Json, finish: str | None = None) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return envelope.around(CHUNK, {"choices": [choice]})


def usage_chunk_json(envelope: Envelope, job: JobView) -> Json:
    return envelope.around(CHUNK, {"choices": [], "usage": usage_json(job)})


def finish_reason(job: JobView) -> str:
    """An answer whose text a limit cut, or that was given because one was near, ended by its length."""
    answer = job.answer
    return "length" if answer is not None and (answer.truncated or answer.forced) else "stop"


def usage_json(job: JobView) -> Json:
    usage = job.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
