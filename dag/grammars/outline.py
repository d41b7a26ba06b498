"""Reads the outlines in a plan, `<Outline>n: what to do</Outline>`: ThreadWeaver and Multiverse write them alike."""

import re
from dataclasses import dataclass

from anabranch.dag.grammars.marks import NUMBER, any_mark

_OUTLINE = re.compile(r"(<\s*+(?:/\s*+)?Outline\s*+>)", re.IGNORECASE | re.ASCII)
_PLAN = re.compile(r"<\s*+(?:Outlines|Goal)\s*+>", re.IGNORECASE | re.ASCII)
_NUMBERED = re.compile(r"\s*+([0-9]{1,9}(?:\.[0-9]{1,9}){0,8})\s*+:(.*)", re.DOTALL)
_ANY = any_mark(NUMBER)


@dataclass(frozen=True, slots=True)
class Outline:
    """One branch that a plan asks for."""

    ident: str
    """As written: `2`, or dotted in a nested plan: `2.1`."""
    text: str


def outlines(body: str) -> tuple[Outline, ...]:
    """The outlines of a plan's body, in the order of the plan, read as ThreadWeaver's orchestrator does.

    Only what follows the last `<Outlines>` (or `<Goal>`) counts, a number that comes again is dropped, and what has no
    number is no outline. One that is not closed ends where the next begins.
    """
    plan = _PLAN.split(body)[-1]
    pieces = _OUTLINE.split(plan)
    found: dict[str, str] = {}
    for mark, text in zip(pieces[1::2], pieces[2::2], strict=True):
        numbered = _NUMBERED.fullmatch(text)
        if numbered and "/" not in mark:
            found.setdefault(numbered[1], numbered[2].strip())
    return tuple(Outline(ident, text) for ident, text in found.items())


def check_plan(body: str) -> str:
    """The problem with a plan that plans nothing: `no-outline`."""
    return "" if outlines(body) else "no-outline"


def departure(body: str, *, dotted: bool, most: int | None) -> str:
    """The first departure of a plan from the trained format; empty if there is none.

    `stray-text` outside of the outlines, `nested` marks within, `numbering` other than 1, 2, 3, … (where `dotted`,
    behind a common prefix: 2.1, 2.2, …), `too-many` outlines. The plan has one outline at least (`check_plan`).
    """
    pieces = _OUTLINE.split(body)
    marks, gaps, texts = pieces[1::2], pieces[0::4], pieces[2::4]
    if marks != ["<Outline>", "</Outline>"] * len(texts) or any(gap.strip() for gap in gaps):
        return "stray-text"
    if any(_ANY.search(text) for text in texts):
        return "nested"
    numbers = [numbered[1] if (numbered := _NUMBERED.fullmatch(text)) else "" for text in texts]
    prefix = numbers[0].rpartition(".")[0] if dotted else ""
    if numbers != [f"{prefix}.{n}".lstrip(".") for n in range(1, len(texts) + 1)]:
        return "numbering"
    return "too-many" if most is not None and len(texts) > most else ""
