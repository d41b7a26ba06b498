"""Speaks to an upstream with the parameters that it knows, and learns from its refusals which those are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from anabranch.workers.engines.openai.refusals import Refusal

SYNONYMS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""A limit is never left out, only renamed: one that is not sent is not kept."""
DISPENSABLE = (
    "seed",
    "stream_options",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "stream",
    "logprobs",
    "top_logprobs",
    "parallel_tool_calls",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "chat_template_kwargs",
    "reasoning_effort",
    "thinking_token_budget",
)
"""Without these a decode is poorer (it cannot be repeated, its tokens are estimated, …), but what was asked."""
GOES_WITH = {"top_logprobs": "logprobs"}
"""What means nothing without another."""
UNKNOWN_TO_IT = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|forbidden|deprecated"
    r"|no longer|not available|not implemented|not configured|instead",
    re.IGNORECASE,
)
"""How refusals of a parameter, whatever its value, are worded."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one model of an upstream calls the parameters of the protocol."""

    names: Mapping[str, str | None] = field(default_factory=dict)
    """By our name; None leaves the parameter out."""

    def put(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body in the upstream's words."""
        left_out = {name for name in GOES_WITH if self.names.get(GOES_WITH[name], "") is None}
        theirs = ((self.names.get(name, name), value) for name, value in body.items() if name not in left_out)
        return {name: value for name, value in theirs if name is not None}

    def learn(self, refusal: Refusal, body: Mapping[str, Any]) -> "Dialect | None":
        """The dialect in which the upstream may take this body; None where the refusal names no parameter."""
        if refusal.status not in (400, 422) or not UNKNOWN_TO_IT.search(refusal.message):
            return None
        names = {name: theirs for name in body if (theirs := self.names.get(name, name)) is not None}
        wrong = _named(refusal, names)
        if wrong in SYNONYMS and wrong not in self.names:
            return self._with(wrong, SYNONYMS[wrong])
        return self._with(wrong, None) if wrong in DISPENSABLE else None

    def _with(self, name: str, theirs: str | None) -> "Dialect":
        return replace(self, names={**self.names, name: theirs})


def _named(refusal: Refusal, names: Mapping[str, str]) -> str:
    """The parameter, by our name, that the refusal is about: as it tells, or the first that its words name."""
    known = {theirs: ours for ours, theirs in names.items() if ours in SYNONYMS or ours in DISPENSABLE}
    if refusal.parameter:
        return next((known[part] for part in refusal.parameter.split(".") if part in known), "")
    anyone = "|".join(re.escape(theirs) for theirs in known)
    found = re.search(rf"(?<![\w-])(?:{anyone})(?![\w-])", refusal.message) if known else None
    return known[found[0]] if found else ""
