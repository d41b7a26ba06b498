"""What the GenAI conventions publish of the attributes that we emit, written down by hand.

From the registry of open-telemetry/semantic-conventions-genai (all of it in development; read at commit 024a4f94 and in
the change log of release v0.1.0), the core registry for `server.*`, `error.*` and `http.*`, and OpenInference's
semantic conventions 0.1.42. A name that is not in here is a name that nobody published.
"""

from collections.abc import Mapping
from typing import Any

RELEASE = "v0.1.0"

STRING, INT, DOUBLE, BOOLEAN, STRINGS, ANY = "string", "int", "double", "boolean", "string[]", "any"

TYPES: Mapping[str, str] = {
    "gen_ai.agent.name": STRING,
    "gen_ai.conversation.id": STRING,
    "gen_ai.evaluation.explanation": STRING,
    "gen_ai.evaluation.name": STRING,
    "gen_ai.evaluation.score.value": DOUBLE,
    "gen_ai.input.messages": ANY,
    "gen_ai.operation.name": STRING,
    "gen_ai.output.messages": ANY,
    "gen_ai.output.type": STRING,
    "gen_ai.provider.name": STRING,
    "gen_ai.request.max_tokens": INT,
    "gen_ai.request.model": STRING,
    "gen_ai.request.seed": INT,
    "gen_ai.request.stream": BOOLEAN,
    "gen_ai.request.temperature": DOUBLE,
    "gen_ai.request.top_p": DOUBLE,
    "gen_ai.response.finish_reasons": STRINGS,
    "gen_ai.response.model": STRING,
    "gen_ai.response.time_to_first_chunk": DOUBLE,
    "gen_ai.tool.call.result": ANY,
    "gen_ai.tool.name": STRING,
    "gen_ai.usage.cache_read.input_tokens": INT,
    "gen_ai.usage.input_tokens": INT,
    "gen_ai.usage.output_tokens": INT,
    "gen_ai.usage.reasoning.output_tokens": INT,
    "gen_ai.workflow.name": STRING,  # until v1.41.1 of the core repository; replaced by gen_ai.agent.name
    "error.type": STRING,
    "server.address": STRING,
    "server.port": INT,
    "http.request.method": STRING,
    "http.route": STRING,
    "session.id": STRING,
    "input.value": STRING,
    "input.mime_type": STRING,
    "output.value": STRING,
    "output.mime_type": STRING,
    "openinference.span.kind": STRING,
}

VALUES: Mapping[str, frozenset[str]] = {
    "gen_ai.operation.name": frozenset({"chat", "execute_tool", "invoke_agent", "invoke_workflow", "plan"}),
    "gen_ai.output.type": frozenset({"text", "json", "image", "speech"}),
    "openinference.span.kind": frozenset({"LLM", "AGENT", "CHAIN", "TOOL", "EVALUATOR"}),
}
"""Well-known values, where we use no others."""

REQUIRED: Mapping[str, frozenset[str]] = {
    "chat": frozenset({"gen_ai.provider.name", "gen_ai.request.model", "gen_ai.request.seed"}),
    "execute_tool": frozenset({"gen_ai.tool.name"}),
    "invoke_agent": frozenset({"gen_ai.agent.name"}),
    "invoke_workflow": frozenset({"gen_ai.agent.name"}),
    "plan": frozenset({"gen_ai.agent.name"}),
    "gen_ai.client.inference.operation.details": frozenset({"gen_ai.operation.name", "gen_ai.provider.name"}),
    "gen_ai.evaluation.result": frozenset({"gen_ai.evaluation.name"}),
}
"""Required, or required wherever we have them; by operation, and by the name of the event."""

PARTS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"content"}),
    "reasoning": frozenset({"content"}),
    "tool_call": frozenset({"name"}),
    "tool_call_response": frozenset({"response"}),
}
"""What a part of a message must have, besides its type (gen-ai-input-messages.json, gen-ai-output-messages.json)."""

NEVER = frozenset({"a type that was published"})
ROLES = frozenset({"system", "user", "assistant", "tool"})


def faults_of(attributes: Mapping[str, Any], kind: str, *, structured: bool = False) -> list[str]:
    """What is wrong with the attributes of a span of this operation, or of an event of this name."""
    faults = [f"{name} is missing" for name in REQUIRED.get(kind, ()) if name not in attributes]
    for name, value in attributes.items():
        if name.startswith("anabranch."):
            continue
        if name not in TYPES:
            faults.append(f"{name} is no attribute")
        elif not _fits(value, TYPES[name], structured=structured):
            faults.append(f"{name} is {value!r}, and should be {TYPES[name]}")
        elif name in VALUES and value not in VALUES[name]:
            faults.append(f"{name} is {value!r}")
    return faults


def faults_of_messages(messages: list[dict[str, Any]]) -> list[str]:
    faults = []
    for message in messages:
        if message["role"] not in ROLES or not message["parts"]:
            faults.append(f"no message: {message}")
        parts = message["parts"]
        faults += [f"no part: {part}" for part in parts if not PARTS.get(part["type"], NEVER) <= part.keys()]
    return faults


def _fits(value: Any, wanted: str, *, structured: bool) -> bool:
    match wanted:
        case "string":
            return isinstance(value, str)
        case "int":
            return type(value) is int
        case "double":
            return isinstance(value, float)
        case "boolean":
            return isinstance(value, bool)
        case "string[]":
            return isinstance(value, tuple) and all(isinstance(each, str) for each in value)
        case _:  # on spans text, for the SDK has nothing else; on events as it is
            return isinstance(value, list if structured else str)
