"""Finds what the scripted engine says: programmed or recorded lines, by what was asked. Written in Python or JSON."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from anabranch.dag.decoding import Fault
from anabranch.dag.decoding.tools import Call
from anabranch.dag.text import Context
from anabranch.workers.engines.thoughts import Marks
from anabranch.workers.messages import DecodeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one decode is answered."""

    text: str = ""
    thought: str = ""
    """Told before the text. A decode that goes on from a part of it is told the rest."""
    calls: tuple[Call, ...] = ()
    """Behind the text, where tools are offered and nothing cuts it."""
    logprob: float | None = None
    """Of each of its tokens, where logprobs are asked for: made up. None: it tells none."""
    confidence: tuple[float, ...] = ()
    """How sure it is of each of its tokens in turn, of those beyond as of the last, where likelihoods are asked for."""
    fault: Fault | None = None
    """Raised after `after` tokens."""
    dies: bool = False
    """The process ends after `after` tokens, as if the machine had gone."""
    after: int = 0


Script = Callable[[DecodeRequest], Line]
"""Any picklable function will do; `Rules` is the one that can be written as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Answers the decodes for which all its conditions hold."""

    line: Line
    branch: str = "*"
    """Pattern of the branch id: `0`, `0.*`, `0.[12]`."""
    since: int = 0
    """First segment index of the decode: a retry, or the decode after a join, has a higher one."""
    matches: str = ""
    """Regular expression searched in the rendered context."""

    def holds(self, request: DecodeRequest) -> bool:
        return (
            fnmatchcase(request.key.branch, self.branch)
            and request.key.segment >= self.since
            and re.search(self.matches, rendered(request.context)) is not None
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """The first rule that holds answers; without one, `reckon` does."""

    rules: tuple[Rule, ...] = ()
    tokens_per_second: float = 0.0
    """How fast each decode is recited; 0 never waits."""

    def __call__(self, request: DecodeRequest) -> Line:
        for rule in self.rules:
            if rule.holds(request):
                return rule.line
        return reckon(request)


def reckon(request: DecodeRequest) -> Line:
    """A short text with a boxed number, the same for the same context: for demonstrations without a model."""
    digest = hashlib.sha256(rendered(request.context).encode()).digest()
    first, second = digest[0] % 90 + 10, digest[1] % 90 + 10
    return Line(
        text=f"Scripted engine, no model. I take {first} and add {second}. "
        f"That makes {first + second}. \\boxed{{{first + second}}}"
    )


def rendered(context: Context) -> str:
    """A context as one text, as scripts see it: one line per message, then how the assistant's turn begins."""
    lines = [f"{role}: {text}\n" for role, text in context.messages]
    return "".join(lines) + Marks().written(context, opened=False)


def script_of(data: Mapping[str, Any]) -> Rules:
    """A script from its JSON form: {"rules": [{"branch", "since", "matches", "text", "thought", "calls", "logprob",
    "confidence", "fault", "dies", "after"}], "tokens_per_second"}. "calls" is a list of {"name", "arguments"}, the
    arguments as an object.

    "text" may be a list: its i-th text answers decodes that begin at segment i or later, up to the next one's.
    """
    rules: list[Rule] = []
    for entry in data["rules"]:
        rules += _rules_of(dict(entry))
    return Rules(tuple(rules), data.get("tokens_per_second", 0.0))


def script_from(path: Path) -> Rules:
    """A script from a JSON file."""
    return script_of(json.loads(path.read_text()))


def _rules_of(entry: dict[str, Any]) -> Sequence[Rule]:
    conditions = {name: entry.pop(name) for name in ("branch", "matches") if name in entry}
    since = entry.pop("since", 0)
    text = entry.pop("text", "")
    texts = [text] if isinstance(text, str) else text
    fault = entry.pop("fault", None)
    entry["confidence"] = tuple(entry.get("confidence", ()))
    calls = tuple(_call(call) for call in entry.pop("calls", ()))
    lines = [Line(text=one, calls=calls, fault=Fault(**fault) if fault else None, **entry) for one in texts]
    rules = [Rule(line=line, since=since + index, **conditions) for index, line in enumerate(lines)]
    return rules[::-1]


def _call(entry: Mapping[str, Any]) -> Call:
    return Call(name=entry["name"], arguments=json.dumps(entry.get("arguments", {}), ensure_ascii=False))
