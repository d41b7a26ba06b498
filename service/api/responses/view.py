"""Writes responses and their items in the shapes of Open Responses, which are OpenAI's."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from anabranch.dag.ids import JobId
from anabranch.dag.status import JobStatus
from anabranch.service.api.openai_errors import failure_json
from anabranch.service.api.views.job import JobView
from anabranch.service.api.views.tools import CallView

Json = dict[str, Any]

PREFIX = "resp_"
_JOB = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STATUS = {
    JobStatus.QUEUED: "queued",
    JobStatus.RUNNING: "in_progress",
    JobStatus.WAITING: "in_progress",
    JobStatus.SUCCEEDED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "cancelled",
}


def response_id(job: str) -> str:
    return PREFIX + job


def job_of(response: str) -> JobId | None:
    """The job of a response; None for what cannot be the id of one."""
    job = response.removeprefix(PREFIX)
    return JobId(job) if response.startswith(PREFIX) and _JOB.fullmatch(job) else None


@dataclass(frozen=True, slots=True)
class ResponseView:
    """A job and what was sent for it. What `begun` tells never changes."""

    job: JobView
    request: Mapping[str, Any]
    """With the model's name in it."""

    def begun(self, status: str) -> Json:
        """The response before anything came out of it."""
        return self._told(status, [], None)

    def ended(self, output: list[Json], of_answer: int) -> Json:
        """The response at its end. `of_answer` counts the tokens of the answer's own text."""
        return self._told(status_of(self.job), output, _usage(self.job, of_answer))

    def now(self) -> Json:
        """The response before its end."""
        return self._told(status_of(self.job), [], None)

    def _told(self, status: str, output: list[Json], usage: Json | None) -> Json:
        job, sent = self.job, self.request
        reasoning = sent.get("reasoning") or {}
        return {
            "id": response_id(job.id),
            "object": "response",
            "created_at": _seconds(job.created_at),
            "completed_at": _seconds(job.finished_at) if status == "completed" and job.finished_at else None,
            "status": status,
            "error": _error(job) if status == "failed" else None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "model": sent["model"],
            "output": output,
            "usage": usage,
            "previous_response_id": sent.get("previous_response_id"),
            "instructions": sent.get("instructions"),
            "background": bool(sent.get("background")),
            "store": sent.get("store") is not False,
            "text": _text(sent.get("text") or {}),
            "tools": [_tool(tool) for tool in sent.get("tools") or ()],
            "tool_choice": _choice(sent.get("tool_choice")),
            "parallel_tool_calls": sent.get("parallel_tool_calls") is not False,
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "max_output_tokens": sent.get("max_output_tokens"),
            "max_tool_calls": None,
            # Numbers, by the schema; where the model's own defaults were taken, those that change nothing.
            "temperature": _or_one(job.sampling.temperature),
            "top_p": _or_one(job.sampling.top_p),
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "top_logprobs": 0,
            "truncation": "disabled",
            "service_tier": "default",
            "metadata": sent.get("metadata") or {},
            "user": sent.get("user"),
            "safety_identifier": sent.get("safety_identifier"),
            "prompt_cache_key": sent.get("prompt_cache_key"),
        }


def status_of(job: JobView) -> str:
    """An answer that a limit cut, or that was given because one was near, makes its response incomplete."""
    answer = job.answer
    cut = answer is not None and not answer.calls and (answer.truncated or answer.forced)
    return "incomplete" if cut else STATUS[job.status]


def message_json(job: str, status: str, text: str | None) -> Json:
    """The answer; without a text, before it has begun."""
    return {
        "id": f"msg_{job}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [] if text is None else [text_json(text)],
    }


def call_json(place: int, job: str, status: str, call: CallView, arguments: str) -> Json:
    return {
        "id": f"fc_{job}_{place}",
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": arguments,
    }


def text_json(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def reasoning_json(job: str, status: str, text: str | None) -> Json:
    return {
        "id": f"rs_{job}",
        "type": "reasoning",
        "status": status,
        "summary": [] if text is None else [summary_json(text)],
    }


def summary_json(text: str) -> Json:
    return {"type": "summary_text", "text": text}


def _error(job: JobView) -> Json:
    """By the client's fault or by the service's: the protocol has a word for each."""
    status, told = failure_json(job)
    return {"code": "invalid_prompt" if status < 500 else "server_error", "message": told["error"]["message"]}


def _text(sent: Mapping[str, Any]) -> Json:
    asked = sent.get("format") or {"type": "text"}
    if asked["type"] == "json_schema":
        named = {"name": "answer", "description": None, "strict": True}
        asked = named | {name: value for name, value in asked.items() if value is not None}
    return {"format": asked, "verbosity": sent.get("verbosity") or "medium"}


def _tool(sent: Mapping[str, Any]) -> Json:
    return {"description": None, "parameters": None, "strict": None, **sent}


def _choice(sent: str | Mapping[str, Any] | None) -> str | Json:
    if isinstance(sent, Mapping):
        return {**sent} if sent["type"] == "function" else {"mode": "auto", **sent}
    return sent or "auto"


def _usage(job: JobView, of_answer: int) -> Json:
    spent = job.usage
    return {
        "input_tokens": spent.prompt_tokens,
        "input_tokens_details": {"cached_tokens": spent.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": spent.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": spent.completion_tokens - of_answer},
        "total_tokens": spent.prompt_tokens + spent.completion_tokens,
    }


def _or_one(number: float | None) -> float:
    return 1.0 if number is None else float(number)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
