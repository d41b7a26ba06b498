"""Holds the thoughts of a graph: what a branch returned, or a part of it, with its state; and splits texts into
parts.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anabranch.dag.grammars.escape import escape
from anabranch.dag.ids import BranchId
from anabranch.dag.policies.parts.lists import numbered, written_lines
from anabranch.dag.policies.parts.prompts import Fields
from anabranch.dag.text import Output, Parts

MOST_PARTS = 64

_BLANK = re.compile(r"\n[^\S\n]*\n")


@dataclass(frozen=True, slots=True)
class Draft:
    """One thought of the graph."""

    branch: BranchId
    part: str = ""
    """The part of a split that it is, or descends from."""
    text: str | None = None
    """Of a part; None is all that the branch returned, or will."""

    @property
    def parts(self) -> Parts:
        """For others to read."""
        return (Output(branch=self.branch),) if self.text is None else (escape(self.text),)


def branches_of(drafts: tuple[Draft, ...]) -> tuple[BranchId, ...]:
    """Who wrote them, each once."""
    return tuple(dict.fromkeys(draft.branch for draft in drafts))


def fields(question: str, inputs: tuple[Draft, ...], origin: tuple[Draft, ...]) -> Fields:
    """What the prompt of a thought can name: the draft that it reads, and its own state."""
    listed = (part for n, each in enumerate(origin, 1) for part in (f"{n}: ", *each.parts, "\n"))
    return {
        "question": (question,),
        "input": inputs[0].parts if inputs else (question,),
        "inputs": tuple(listed),
        "part": (escape(inputs[0].part),) if inputs else (),
    }


def shown(inputs: tuple[Draft, ...]) -> Parts:
    """The drafts before a prompt that names none of its fields."""
    return tuple(part for n, each in enumerate(inputs, 1) for part in (f"Draft {n}:\n", *each.parts, "\n"))


def split(text: str, form: str) -> list[tuple[str, str]]:
    """The parts that a text lists, by name: keys of a JSON object, else numbers from 1. None where it lists none."""
    return [part for part in FORMS[form](text) if part[1].strip()][:MOST_PARTS]


def _json(text: str) -> list[tuple[str, str]]:
    """The first JSON object or array of a text, whatever stands around it."""
    begin = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=len(text))
    try:
        found, _ = json.JSONDecoder().raw_decode(text, begin)
        items: Mapping[Any, Any] = found if isinstance(found, dict) else dict(enumerate(found, start=1))
        return [
            (str(name), item if isinstance(item, str) else json.dumps(item, ensure_ascii=False))
            for name, item in items.items()
        ]
    except (ValueError, RecursionError):
        return []


def _counted(texts: list[str]) -> list[tuple[str, str]]:
    return [(str(number), text) for number, text in enumerate(texts, start=1)]


FORMS: Mapping[str, Callable[[str], list[tuple[str, str]]]] = {
    "json": _json,
    "list": lambda text: _counted(numbered(text)[0]),
    "lines": lambda text: _counted(written_lines(text)),
    "paragraphs": lambda text: _counted([part.strip() for part in _BLANK.split(text) if part.strip()]),
}
