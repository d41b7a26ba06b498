"""Describes the tools that a job's owner offers, and what a model calls of them.

A job's final thought may call them instead of answering; the owner runs what is called and asks again with the results.
(What an operator registers is another matter: a policy forks it as a branch, see `actions.ToolCall`.)
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
DEEPEST = 64
"""Objects and lists inside each other, in the arguments of a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function of the job's owner, as a model is told of it."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """JSON Schema of its arguments, an object. Empty: it takes none."""
    strict: bool = False
    """The arguments must keep to the schema, where the engine can see to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What may be called, and whether something must be."""

    offered: tuple[Tool, ...]
    required: bool = False
    """A call must come; text alone is no answer."""
    several: bool = True
    """Several may be called at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that a model asks for."""

    name: str
    arguments: str = "{}"
    """JSON of an object, as the model wrote it: it may be broken."""
    id: str = ""
    """As its upstream named it; empty where nobody did."""

    def in_words(self) -> str:
        """The call for a reader who knows no calls."""
        return f"[Called the tool {self.name} with {self.arguments}]"


def in_words(text: str, calls: Sequence[Call]) -> str:
    """A text and the calls behind it for a reader who knows no calls."""
    return "\n".join(line for line in (text, *(call.in_words() for call in calls)) if line)


def result_in_words(name: str, text: str) -> str:
    """What a tool gave, for a reader who knows no calls."""
    return f"[Result of the tool {name}]\n{text}"


def meaning_of(calls: Sequence[Call]) -> str | None:
    """Names and arguments in one form: equal for calls of the same functions with arguments that are equal as JSON.
    None where the arguments of one are no JSON object, or one that is nested deeper than anybody means."""
    meant = []
    for call in calls:
        try:
            arguments = read_json(call.arguments)
        except ValueError:
            return None
        if not isinstance(arguments, dict):
            return None
        meant.append({"name": call.name, "arguments": arguments})
    return without_halves(json.dumps(meant, sort_keys=True, ensure_ascii=False))


def read_json(text: str) -> Any:
    """What the JSON means, whole numbers written as such. Raises ValueError where it is none, or is nested deeper than
    anybody means, whatever is left of the stack: a replay has another."""
    try:
        return _plain(json.loads(text))
    except RecursionError:
        raise ValueError("nested too deep") from None


def without_halves(text: str) -> str:
    """The text with U+FFFD for each half of a character, which JSON can name and a journal cannot hold: a replay finds
    what was journaled."""
    return _HALF.sub("\ufffd", text)


def _plain(value: Any, depth: int = 0) -> Any:
    """The value with whole numbers written as such: for JSON 1 and 1.0 are the same."""
    if depth > DEEPEST:
        raise ValueError("nested too deep")
    match value:
        case dict():
            return {key: _plain(each, depth + 1) for key, each in value.items()}
        case list():
            return [_plain(each, depth + 1) for each in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
