"""Describes a grammar as data: the rules by which `parser.py` reads it."""

from collections.abc import Callable
from dataclasses import dataclass


def sound(_body: str) -> str:
    """The check that finds no problem."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One tag of a grammar."""

    kind: str
    opens: str
    """Template of the opening mark, as in `marks.py`."""
    closes: str = ""
    """Template of the closing mark. Empty: the opening mark is the whole tag."""
    stops: bool = False
    literal: bool = True
    """Other marks may stand in it as text. The strict reading allows that to no tag."""
    anywhere: bool = False
    """Read even within another tag, which is dropped then."""
    check: Callable[[str], str] = sound
    """The problem with the text between the marks, in either reading; empty if there is none."""
    form: Callable[[str], str] = sound
    """How that text departs from the trained format; asked in the strict reading only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A grammar."""

    name: str
    source: str
    """Paper and section."""
    rules: tuple[Rule, ...]
    marks: tuple[str, ...]
    """Of `marks.NAMES`, those of its vocabulary, also what the runtime and other branches write of it."""
    quotes: bool = False
    """An opening mark in inline code is text, in the lenient reading."""
    within: Rule | None = None
    """The tag that the runtime opened before decoding began."""
