"""Normalises what upstreams send: whatever form a chunk or a completion has, it becomes one `Part`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anabranch.dag.decoding.logprobs import TokenLogprob
from anabranch.workers.engines.openai.calls import CallPiece, read_calls
from anabranch.workers.engines.openai.logprobs import read_logprobs
from anabranch.workers.engines.openai.refusals import Refusal, read_refusal, start_of

MOST_TOKENS = 1_000_000_000
"""A count beyond it is none."""
LONGEST_NAME = 256
"""Characters of a model's name that are kept."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens as the upstream tells them; None for what it does not, or not in earnest."""

    prompt: int | None = None
    cached: int | None = None
    completion: int | None = None
    reasoning: int | None = None
    """Of the completion."""


NOTHING_COUNTED = Counts()


@dataclass(frozen=True, slots=True)
class Part:
    """What one event adds."""

    text: str = ""
    thought: str = ""
    """Text that the upstream tells apart as reasoning."""
    calls: tuple[CallPiece, ...] = ()
    declined: str = ""
    """Why the model will not answer, where the upstream tells that apart."""
    logprobs: tuple[TokenLogprob, ...] = ()
    finish: str = ""
    """The word for why the text ended; empty while it goes on."""
    stop: str = ""
    """The stop string that ended it, where it is named."""
    counts: Counts = NOTHING_COUNTED
    refusal: Refusal | None = None
    choices: bool = False
    """Whether the event has the form of a chunk at all."""
    model: str = ""
    """Which model answers, where the upstream says so."""


def read_parts(data: Any, name: str = "") -> Iterator[Part]:
    """The parts of one event. What carries nothing, such as a sign of life, gives none."""
    if isinstance(data, list):
        for each in data:
            yield from read_parts(each, name)
    elif isinstance(data, dict):
        yield _part(data, name)
    elif isinstance(data, str) and name != "ping":
        yield Part(refusal=Refusal(message=f"the upstream sends what is no JSON: {start_of(data)}"))


def _part(event: Mapping[str, Any], name: str) -> Part:
    choice = _choice(event.get("choices"))
    delta, message = choice.get("delta"), choice.get("message")
    said = delta if isinstance(delta, dict) else message if isinstance(message, dict) else {}
    content = said.get("content")
    return Part(
        text=_content(content) or _string(choice.get("text")),
        thought=_first_string(said, "reasoning_content", "reasoning") or _thinking(content),
        calls=read_calls(said),
        declined=_string(said.get("refusal")),
        logprobs=read_logprobs(choice.get("logprobs")),
        finish=_word(choice.get("finish_reason")),
        stop=_first_string(choice, "stop_reason", "matched_stop", "stopping_word"),
        counts=_counts(event),
        refusal=_refusal(event, choice, name),
        choices="choices" in event,
        model=_string(event.get("model"))[:LONGEST_NAME],
    )


def _choice(choices: Any) -> Mapping[str, Any]:
    """The first choice: one was asked for."""
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") in (None, 0):
            return choice
    return {}


def _content(content: Any) -> str:
    """Text as it stands, or the text among parts of several kinds."""
    if not isinstance(content, list):
        return _string(content)
    parts = (part for part in content if isinstance(part, dict) and part.get("type") in (None, "text"))
    return "".join(_string(part.get("text")) for part in parts)


def _thinking(content: Any) -> str:
    """The thoughts among parts of several kinds, as Mistral has them."""
    if not isinstance(content, list):
        return ""
    parts = (part for part in content if isinstance(part, dict))
    return "".join(_content(part.get("thinking")) for part in parts if part.get("type") == "thinking")


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _word(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else repr(value)


def _first_string(mapping: Mapping[str, Any], *names: str) -> str:
    for name in names:
        if value := _string(mapping.get(name)):
            return value
    return ""


def _counts(event: Mapping[str, Any]) -> Counts:
    """By any of the names that OpenAI, Groq, DeepSeek and Anthropic's gateways have for them."""
    usage = event.get("usage") or _mapping(event.get("x_groq")).get("usage")
    if not isinstance(usage, dict):
        return NOTHING_COUNTED
    details = _mapping(usage.get("prompt_tokens_details"))
    prompt = _count(usage.get("prompt_tokens", usage.get("input_tokens")))
    completion = _count(usage.get("completion_tokens", usage.get("output_tokens")))
    reasoning = _reasoning(usage)
    cached = _count(details.get("cached_tokens", usage.get("prompt_cache_hit_tokens")))
    return Counts(
        prompt=prompt,
        cached=None if cached is None or prompt is None else min(cached, prompt),
        completion=_with_thoughts(completion, reasoning, prompt, _count(usage.get("total_tokens"))),
        reasoning=reasoning,
    )


def _with_thoughts(
    completion: int | None, reasoning: int | None, prompt: int | None, total: int | None
) -> int | None:
    """The completion, thoughts included: of xAI and others, only the total has them."""
    if completion is None or not reasoning:
        return completion
    apart = total == (prompt or 0) + completion + reasoning
    return completion + reasoning if apart else completion


def _reasoning(usage: Mapping[str, Any]) -> int | None:
    """By the names of chat completions, of Responses, and of servers that tell it beside the rest."""
    for details in ("completion_tokens_details", "output_tokens_details"):
        if (told := _count(_mapping(usage.get(details)).get("reasoning_tokens"))) is not None:
            return told
    return _count(usage.get("reasoning_tokens"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= MOST_TOKENS or value != int(value):
        return None
    return int(value)


def _refusal(event: Mapping[str, Any], choice: Mapping[str, Any], name: str) -> Refusal | None:
    """The error that an event tells, in any of the forms that there are."""
    if event.get("error"):
        return read_refusal(event)
    if choice.get("error"):
        return read_refusal(choice)
    says_error = "error" in (name, event.get("object"), event.get("type"))
    if says_error or ("choices" not in event and any(event.get(key) is not None for key in _ERROR_KEYS)):
        return read_refusal(event)
    return None


_ERROR_KEYS = ("error", "errors", "detail", "message")
"""In an event without choices each of them is one."""
