"""Defines what every tag grammar offers: a parser that is fed text as it is decoded and says where each tag ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from anabranch.dag.decoding import Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A tag was closed: the segment ends here."""

    offset: int
    """Characters of all text fed so far up to and including the tag's last character."""
    tag: Tag
    stops: bool
    """Decoding must stop here: what follows depends on the runtime (a join, an answer)."""


class Parser(Protocol):
    """Incremental: never re-reads, holds no more than one unfinished tag, survives a tag split over chunks."""

    def feed(self, text: str) -> tuple[Cut, ...]:
        """The tags that this text closes, in order. After a Cut that stops, nothing further is reported."""
        ...

    def close(self) -> Tag | None:
        """Decoding ended: the tag that was opened and never closed, with its `problem` set, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Grammar:
    """A published tag vocabulary."""

    name: str
    source: str
    """Paper and section."""
    parser: Callable[[], Parser]
    marks: tuple[str, ...]
    """Names of all marks that a text in it may hold, whoever writes them: no others are marks to its reader."""
    forks: bool = False
    """One of its tags forks while decoding goes on (AsyncThink)."""
