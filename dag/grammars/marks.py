"""Lists all marks that the grammars have, such as `<FORK-3>` or `</Outlines>`, and how each may be spelled.

In a template, `#` stands for an identifier and a blank for one or more blanks. Spellings are matched leniently: in any
case, with blanks inside the brackets, around the slash and the hyphen. The strict reading compares with the template
afterwards.
"""

import re
from collections.abc import Iterable

NUMBER = "[0-9]{1,9}"
"""What `#` stands for in decoded text. Digits only: a model that explains `<FORK-i>` forks nothing."""

NAMES = (
    "FORK-#",
    "JOIN-#",
    "ANSWER",
    "RETURN",
    "Parallel",
    "Outlines",
    "Outline",
    "Thread",
    "Conclusion",
    "Goal",
    "Path",
    "Calling Sub Searches",
    "Start Sub Search # at level #",
    "End Calling Sub Searches",
    "Sub Searches",
    "Goal Reached in Sub Search # at level # at Node #",
    "No Solution in Sub Search # at level # at Node #",
    "End Sub Searches",
    *(f"think{path}" for path in range(1, 9)),
    "summary",
    "Summary",
    "guideline",
    "plan",
    "step",
    "takeaway",
)
"""Every name in every vocabulary, whoever writes it: the model, or the runtime at a fork or a join."""

_FLAGS = re.IGNORECASE | re.ASCII  # ASCII, or the Kelvin sign would pass for a k and ſ for an s
_SPELLED = {" ": r"\s++", "<": r"<\s*+", ">": r"\s*+>", "/": r"/\s*+", "-": r"\s*+-\s*+"}
"""Possessive (`++`, `*+`): blanks once matched are never given back, so a run of them is looked at once."""


def spelling(template: str) -> re.Pattern[str]:
    """All spellings of a mark given as a template like `</FORK-#>`."""
    return re.compile(_source(template, NUMBER), _FLAGS)


def any_mark(ident: str, names: Iterable[str] = NAMES) -> re.Pattern[str]:
    """All spellings of every mark of these names, opening or closing; `ident` is the pattern that `#` stands for.

    The names are tried by their first letters: a text that is all `<` is searched ten times as fast.
    """
    rests: dict[str, list[str]] = {}
    for name in names:
        rests.setdefault(name[0].upper(), []).append(_source(name[1:], ident))
    any_name = "|".join(f"{first}(?:{'|'.join(ends)})" for first, ends in rests.items())
    firsts = "".join(rests)
    return re.compile(rf"<(?=[{firsts}/\s])\s*+(?:/\s*+)?(?=[{firsts}])(?:{any_name})\s*+>", _FLAGS)


def _source(template: str, ident: str) -> str:
    return "".join(ident if letter == "#" else _SPELLED.get(letter, letter) for letter in template)
