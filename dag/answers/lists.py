"""Takes lists apart: the brackets around a text, and the items between its outermost commas. One pass each."""

import re
from itertools import pairwise

_BRACKET = re.compile(r"\\?[(\[{]|\\?[)\]}]|[,;]")
_SPACED = re.compile(r",\s")
_WITHIN = re.compile(r"(?<=[0-9]),0[0-9]{2}(?![0-9])")
_AND = re.compile(r",?\s(?:and|&)\s")


def is_listed(text: str) -> bool:
    """Tells whether a text without brackets lists several items."""
    return "," in text or ";" in text or bool(_AND.search(text))


def brackets(text: str) -> tuple[str, str, str]:
    """Finds the brackets around all of a text, and what stands between; none where they do not belong together."""
    begin = 2 if text.startswith("\\{") else 1
    end = 2 if text.endswith("\\}") else 1
    if (
        text[:1] not in "([{\\"
        or text[-1:] not in ")]}"
        or (begin == 2) != (end == 2)
        or len(text) <= begin + end
    ):
        return "", "", text
    level = 0
    for mark in _BRACKET.finditer(text):
        level += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(mark[0][-1], 0)
        if level == 0 and mark.end() < len(text):
            return "", "", text
    opens, closes = text[begin - 1], text[-1]
    if level or (opens == "{") != (closes == "}"):
        return "", "", text
    return opens, closes, text[begin:-end]


def split_items(text: str) -> list[str] | None:
    """Splits a text at its outermost commas (semicolons, where there are any); None where one is empty.

    A comma without a blank behind it separates only where none has one: (1,000, 2,000) are two numbers. One before
    `000` or `050` does not: no item is written so, and 1,050 is one number.
    """
    places: dict[str, list[int]] = {",": [], ", ": [], ";": []}
    level = 0
    for mark in _BRACKET.finditer(text):
        kind = mark[0][-1]
        level += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(kind, 0)
        if level < 0:
            return None
        if level == 0 and kind in ",;" and not _WITHIN.match(text, mark.start()):
            spaced = kind == "," and _SPACED.match(text, mark.start())
            places[", " if spaced else kind].append(mark.start())
    cuts = places[";"] or places[", "] or places[","]
    edges = [-1, *cuts, len(text)]
    parts = [text[a + 1 : b] for a, b in pairwise(edges)]
    last = _AND.split(parts[-1].removeprefix(" and "), maxsplit=1) if not places[";"] else parts[-1:]
    parts = [part.strip().removeprefix("and ") for part in (*parts[:-1], *last)]
    return parts if all(parts) else None
