"""What the tests of chat ask, in OpenAI's protocol."""

from typing import Any

from anabranch.service.api.views.chat.request import ChatRequest
from anabranch.service.api.views.requests import JobRequest

ASK: list[dict[str, Any]] = [{"role": "user", "content": "What is six times seven?"}]
BODY: dict[str, Any] = {"model": "anabranch/sequential", "messages": ASK}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"at": "Rome"}'}}

ABLE = (
    "these policies can: auto, best-of-n, deep-conf, para-thinker, plan, recursive-aggregation, retrieval, "
    "self-consistency, sequential"
)
"""Whom a refusal names where a policy composes its answer: these decode it in one piece."""


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "weather"} | function}


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def asked(**fields: Any) -> JobRequest:
    return ChatRequest.model_validate({**BODY, **fields}).as_job()
