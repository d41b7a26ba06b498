"""Fills prompts as users write them: a known `{name}` stands for a field, all else, other braces too, stands for
itself.

A prompt is read once and its fields are put in as parts, so that a question or a thought full of braces neither raises
nor names a field of its own.
"""

import re
from collections.abc import Mapping

from anabranch.dag.text import Base, Message, Parts, say

Fields = Mapping[str, Parts]

_FIELD = re.compile(r"\{([a-z_]+)\}")


def fill(prompt: str, fields: Fields) -> Parts:
    """The prompt with each field that it names in its place."""
    parts: list[Parts] = []
    end = 0
    for found in _FIELD.finditer(prompt):
        if found[1] in fields:
            parts += ((prompt[end : found.start()],), fields[found[1]])
            end = found.end()
    return tuple(part for group in (*parts, (prompt[end:],)) for part in group if part != "")


def fill_text(prompt: str, **fields: str | int) -> str:
    """The same for fields that are plain text."""
    return "".join(map(str, fill(prompt, {name: (str(value),) for name, value in fields.items()})))


def names_any(prompt: str, fields: Fields) -> bool:
    """Whether the prompt puts one of the fields in its place."""
    return any(found in fields for found in _FIELD.findall(prompt))


def ask(prompt: str, fields: Fields, shown: Parts = ()) -> tuple[Base, tuple[Message, ...]]:
    """What a child reads. A prompt that names a field is all of it; any other stands behind the job's messages and
    behind what is shown."""
    if names_any(prompt, fields):
        return Base.NOTHING, (say("user", *fill(prompt, fields)),)
    before = (say("user", *shown),) if shown else ()
    return Base.PROBLEM, (*before, say("user", prompt)) if prompt else before
