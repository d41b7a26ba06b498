"""Writes what a model was sent and what it wrote in the form that the GenAI conventions have for messages.

A message has a role and parts: text, reasoning, tool_call, tool_call_response. Source: gen-ai-input-messages.json and
gen-ai-output-messages.json of the conventions.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from anabranch.dag.decoding.tools import DEEPEST, Call, without_halves
from anabranch.dag.job import JobSpec
from anabranch.dag.text import Context, Message, Turn
from anabranch.service.telemetry import names
from anabranch.service.telemetry.span import Value

Json = dict[str, Any]


@dataclass(slots=True)
class Content:
    """What went in and what came out, of a decode, a branch or a job."""

    sent: list[Json]
    text: str = ""
    thought: str = ""
    calls: tuple[Call, ...] = ()
    ended: bool = False
    """Something came out, if only an empty text."""


def messages_of_context(context: Context) -> list[Json]:
    """All that a decode was sent. The turn of the assistant that it goes on with is the last message."""
    said = context.turns or tuple(Turn(role, text) for role, text in context.messages)
    messages = [_turn(turn) for turn in said]
    if context.raw:
        return [_message("user", [_text(context.continuation)])]
    begun = [*_reasoning(context.thought), *([_text(context.continuation)] if context.continuation else [])]
    return [*messages, _message("assistant", begun)] if begun else messages


def messages_of_job(spec: JobSpec) -> list[Json]:
    """The conversation that a job was submitted with."""
    return [_turn(Turn(each.role, _literal(each), each.calls, each.result_of)) for each in spec.messages]


def written(content: Content, finish: str) -> list[Json]:
    """The one message that came out: thoughts, then text, then calls. None where nothing came."""
    if not content.ended:
        return []
    text = [_text(content.text)] if content.text or not content.calls else []
    parts = [*_reasoning(content.thought), *text, *map(_call, content.calls)]
    return [{**_message("assistant", parts), "finish_reason": finish}]


def tool_attributes(content: Content) -> Iterator[tuple[str, Value]]:
    """What a tool gave, as span attributes."""
    if content.ended:
        yield names.TOOL_RESULT, content.text
        yield names.OUTPUT_VALUE, content.text
        yield names.OUTPUT_MIME_TYPE, names.PLAIN


def span_attributes(content: Content, finish: str) -> Iterator[tuple[str, Value]]:
    """Content as span attributes: in the conventions' form, and as OpenInference has it, which viewers list."""
    if content.sent:
        yield names.INPUT_MESSAGES, _dumped(content.sent)
        yield from _value(content.sent, names.INPUT_VALUE, names.INPUT_MIME_TYPE)
    if wrote := written(content, finish):
        yield names.OUTPUT_MESSAGES, _dumped(wrote)
        if content.calls:
            yield from _value(wrote, names.OUTPUT_VALUE, names.OUTPUT_MIME_TYPE)
        else:
            yield names.OUTPUT_VALUE, content.text
            yield names.OUTPUT_MIME_TYPE, names.PLAIN


def _value(messages: Sequence[Json], value: str, mime_type: str) -> Iterator[tuple[str, Value]]:
    """A single text as it stands, for it is read in a list; all else as JSON."""
    parts = [part for message in messages for part in message["parts"]]
    is_text = len(parts) == 1 and parts[0]["type"] == "text"
    yield value, parts[0]["content"] if is_text else _dumped(messages)
    yield mime_type, names.PLAIN if is_text else names.JSON


def _turn(turn: Turn) -> Json:
    if turn.result_of:
        answer = {"type": "tool_call_response", "id": turn.result_of, "response": turn.text}
        return _message(turn.role, [answer])
    parts = [_text(turn.text)] if turn.text or not turn.calls else []
    return _message(turn.role, [*parts, *map(_call, turn.calls)])


def _message(role: str, parts: list[Json]) -> Json:
    return {"role": role, "parts": parts}


def _text(text: str) -> Json:
    return {"type": "text", "content": text}


def _reasoning(thought: str) -> list[Json]:
    return [{"type": "reasoning", "content": thought}] if thought else []


def _call(call: Call) -> Json:
    """Arguments as an object, where the model wrote one and a collector takes it."""
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        arguments = call.arguments
    if not _can_be_told(arguments):
        arguments = call.arguments
    return {"type": "tool_call", "id": call.id or None, "name": call.name, "arguments": arguments}


def _can_be_told(value: Any, depth: int = 0) -> bool:
    """Whether OTLP has a form for it: numbers of 64 bits, whole characters, no bottomless nesting."""
    match value:
        case str():
            return value == without_halves(value)
        case int():
            return -(2**63) <= value < 2**63
        case float():
            return math.isfinite(value)
        case dict():
            return depth < DEEPEST and all(
                _can_be_told(each, depth + 1) for pair in value.items() for each in pair
            )
        case list():
            return depth < DEEPEST and all(_can_be_told(each, depth + 1) for each in value)
        case _:
            return True


def _literal(message: Message) -> str:
    return "".join(part for part in message.parts if isinstance(part, str))


def _dumped(messages: Sequence[Json]) -> str:
    return json.dumps(messages, ensure_ascii=False, separators=(",", ":"))
