"""Writes OpenAI's shapes, as far as a job has something to put into them."""

from dataclasses import dataclass
from typing import Any

from anabranch.dag.decoding import Usage
from anabranch.service.api.views.chat_request import PREFIX
from anabranch.service.api.views.job import JobView, UsageView

CHUNK = "chat.completion.chunk"

Json = dict[str, Any]
Counts = Usage | UsageView


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
    return envelope.around("chat.completion", {"choices": [choice], "usage": usage_json(job.usage)})


def chunk_json(
    envelope: Envelope, delta: Json, finish: str | None = None, usage: Counts | None = None
) -> Json:
    """A part of a completion; `usage` is what the job cost so far, where each chunk is to tell it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    told = {} if usage is None else {"usage": usage_json(usage)}
    return envelope.around(CHUNK, {"choices": [choice]} | told)


def usage_chunk_json(envelope: Envelope, job: JobView) -> Json:
    return envelope.around(CHUNK, {"choices": [], "usage": usage_json(job.usage)})


def finish_reason(job: JobView) -> str:
    """An answer whose text a limit cut, or that was given because one was near, ended by its length."""
    answer = job.answer
    return "length" if answer is not None and (answer.truncated or answer.forced) else "stop"


def usage_json(usage: Counts) -> Json:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
