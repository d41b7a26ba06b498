"""Reads the outlines in a plan, `<Outline>n: what to do</Outline>`: ThreadWeaver and Multiverse write them alike, NPR
as `<plan>n: …</plan>`.
"""

import re
from dataclasses import dataclass
from functools import cache

from anabranch.dag.grammars.marks import NUMBER, any_mark

OUTLINE = "Outline"
"""What one is called."""
_PLAN = re.compile(r"<\s*+(?:Outlines|Goal|guideline)\s*+>", re.IGNORECASE | re.ASCII)
_NUMBERED = re.compile(r"\s*+([0-9]{1,9}(?:\.[0-9]{1,9}){0,8})\s*+:(.*)", re.DOTALL)
_ANY = any_mark(NUMBER)


@dataclass(frozen=True, slots=True)
class Outline:
    """One branch that a plan asks for."""

    ident: str
    """As written: `2`, or dotted in a nested plan: `2.1`."""
    text: str


@cache
def _marks(item: str) -> re.Pattern[str]:
    return re.compile(rf"(<\s*+(?:/\s*+)?{item}\s*+>)", re.IGNORECASE | re.ASCII)


def outlines(body: str, item: str = OUTLINE) -> tuple[Outline, ...]:
    """The outlines of a plan's body, in the order of the plan, read as ThreadWeaver's orchestrator does.

    Only what follows the last `<Outlines>` (`<Goal>`, `<guideline>`) counts, a number that comes again is dropped, and
    what has no number is no outline. One that is not closed ends where the next begins.
    """
    plan = _PLAN.split(body)[-1]
    pieces = _marks(item).split(plan)
    found: dict[str, str] = {}
    for mark, text in zip(pieces[1::2], pieces[2::2], strict=True):
        numbered = _NUMBERED.fullmatch(text)
        if numbered and "/" not in mark:
            found.setdefault(numbered[1], numbered[2].strip())
    return tuple(Outline(ident, text) for ident, text in found.items())


def check_plan(body: str, item: str = OUTLINE) -> str:
    """The problem with a plan that plans nothing: `no-outline`."""
    return "" if outlines(body, item) else "no-outline"


def departure(body: str, *, dotted: bool, most: int | None, item: str = OUTLINE) -> str:
    """The first departure of a plan from the trained format; empty if there is none.

    `stray-text` outside of the outlines, `nested` marks within, `numbering` other than 1, 2, 3, … (where `dotted`,
    behind a common prefix: 2.1, 2.2, …), `too-many` outlines. The plan has one outline at least (`check_plan`).
    """
    pieces = _marks(item).split(body)
    marks, gaps, texts = pieces[1::2], pieces[0::4], pieces[2::4]
    if marks != [f"<{item}>", f"</{item}>"] * len(texts) or any(gap.strip() for gap in gaps):
        return "stray-text"
    if any(_ANY.search(text) for text in texts):
        return "nested"
    numbers = [numbered[1] if (numbered := _NUMBERED.fullmatch(text)) else "" for text in texts]
    prefix = numbers[0].rpartition(".")[0] if dotted else ""
    if numbers != [f"{prefix}.{n}".lstrip(".") for n in range(1, len(texts) + 1)]:
        return "numbering"
    return "too-many" if most is not None and len(texts) > most else ""
