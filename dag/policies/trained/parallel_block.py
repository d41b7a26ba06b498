"""Runs blocks: a plan, its branches side by side, and their text spliced behind it. ThreadWeaver, Multiverse,
Parallel-R1 and NPR share this.

Each branch reads all that its parent had read and written, then its own header. At the join the block reads as if one
hand had written it, in the order of the plan (protocols.md sections 2.1 and 4.1).
"""

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from anabranch.dag.actions import (
    Action,
    Answer,
    Fork,
    Forked,
    Join,
    Joined,
    Merge,
    Result,
    Segment,
    SubPolicy,
    Think,
    Thought,
)
from anabranch.dag.decoding import Decoding, Finish, Structure, Tag
from anabranch.dag.errors import DecodeFailed, NoAnswer
from anabranch.dag.grammars import grammar_named
from anabranch.dag.grammars.escape import escape, strip_marks
from anabranch.dag.grammars.outline import OUTLINE, Outline, outlines
from anabranch.dag.ids import TRUNK, BranchId
from anabranch.dag.policies.trained.splicing import rewrite
from anabranch.dag.text import Base, Output, say
from anabranch.dag.text.context import truncate
from anabranch.dag.vocabulary import Cause

UNFINISHED = "closed-by-runtime"
"""Flag of a branch that ended without its closing tag."""
SHORT = 600
"""Characters that a truncated branch keeps."""
SHORTEN = (
    "Someone has worked on one part of this: {outline}\nSay in at most three sentences what they found:\n\n"
)
WAYS = {"summary": ("full", "summary", "truncate"), "truncate": ("full", "truncate"), "refuse": ("full",)}
"""How a block is said, one way after the other, until the engine takes it."""

_CLOSING = ("Parallel", "Outlines", "Goal", "Summary", "guideline", "takeaway")
"""Marks behind whose ends a trajectory goes on."""

Text = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One branch of a block, as it is spliced."""

    outline: Outline
    text: str
    branch: BranchId | None = None
    """None for one that was never forked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a block is written."""

    header: str
    """How a branch begins; `{n}` is its outline's number."""
    closes: str
    behind: str
    """What the runtime writes behind the last branch."""
    repeats: bool = False
    """A branch begins with its outline: an untrained model forgets which one is its own."""
    before: str = "\n"
    """What the runtime writes before the first branch."""

    def opening(self, outline: Outline) -> str:
        return self.before + self._header(outline)

    def written(self, parts: Iterable[Part]) -> str:
        """All branches, and what stands before and behind them."""
        branches = (self._header(part.outline) + part.text + self.closes for part in parts)
        return self.before + "".join(branches) + self.behind

    def _header(self, outline: Outline) -> str:
        number = self.header.format(n=outline.ident)
        return f"{number} {escape(outline.text)}" if self.repeats else number


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A plan that was carried out."""

    parts: tuple[Part, ...]
    finished: bool
    """Each branch wrote its closing tag itself, or there was no time to."""
    sources: tuple[BranchId, ...] = ()
    """The branches that returned."""
    there: str = ""
    """What of it stands in the context already: an outline that was thought through inline."""


@dataclass(slots=True)
class Trajectory:
    """What a branch has written so far, its blocks included."""

    last: Segment
    grammar: str
    """Whose marks are marks to its reader."""
    text: str = field(init=False)
    since: int = 0
    """Where the last block ends."""
    sources: list[BranchId] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = self.last.text

    def goes_on(self, segment: Segment, block: Block | None = None, spliced: str = "") -> None:
        if block is not None:
            self.text += spliced
            self.since = len(self.text)
            self.sources += block.sources
        self.text += segment.text
        self.last = segment

    def aborted(self, block: Block, written: str) -> Answer:
        """What a trajectory that ends behind a block amounts to."""
        self.text += written
        self.sources += block.sources
        return self.answer()

    def answer(self) -> Answer:
        """What stands behind the reasoning, behind the last block or plan; else the last thing written.

        Raises NoAnswer when nothing was.
        """
        for text in (self.text[self.since :], self.text):
            for piece in reversed(_ends(self.grammar).split(text)):
                said = strip_marks(piece, grammar_named(self.grammar).marks).strip()
                if said:
                    return Answer(text=said, sources=(TRUNK, *self.sources))
        raise NoAnswer("the model wrote nothing")


@cache
def _ends(grammar: str) -> re.Pattern[str]:
    """The ends of this grammar's marks, and of thinking: other grammars' marks are text to its reader, as is HTML."""
    names = ("think", *(name for name in _CLOSING if name in grammar_named(grammar).marks))
    return re.compile(rf"</\s*+(?:{'|'.join(names)})\s*+>", re.IGNORECASE)


def plan_structure(opens: str, closes: str, width: int, item: str = OUTLINE) -> Structure:
    """The form of a plan of 2 to `width` outlines, for models that were not trained for it."""
    outline = rf"<{item}>{{n}}: [A-Z][^<>\n]{{{{8,160}}}}</{item}>\n"
    optional = ""
    for n in range(width, 2, -1):
        optional = f"({outline.format(n=n)}{optional})?"
    return Structure(regex=opens + outline.format(n=1) + outline.format(n=2) + optional + closes)


def read_plan(tag: Tag, limit: int, item: str = OUTLINE) -> tuple[tuple[Outline, ...], str]:
    """What a plan asks for, and what is wrong with it; empty when it can be carried out."""
    found = () if tag.problem else outlines(tag.body, item)
    return found, "too-many" if len(found) > limit else tag.problem


def close_branch(segment: Segment) -> Answer:
    """What a branch gives: all it wrote before its closing tag. Without one the runtime closes it, and flags it."""
    if segment.finish is not Finish.TAG or segment.tag is None:
        return Answer(text=segment.text, flags=(UNFINISHED,))
    return Answer(text=before_mark(segment.text), flags=(UNFINISHED,) if segment.tag.problem else ())


def before_mark(text: str) -> str:
    """The text without the tag it ends with."""
    return text[: text.rindex("<")]


def run_plan(
    plan: Sequence[Outline], children: Sequence[Thought | SubPolicy], as_text: Text = escape
) -> Generator[Action, Any, Block | None]:
    """Fork the branches of a plan and wait for all. None when not one may be forked."""
    forked: Forked = yield Fork(children=tuple(children))
    if not forked.branches:
        return None
    joined: Joined = yield Join(targets=forked.branches)
    results = {result.branch: result for result in joined.results}
    parts: list[Part] = []
    for outline, branch in zip(plan, forked.ids, strict=False):  # a person may have taken some out
        text = f" [not started: {forked.rejected}]" if branch is None else _tell(results[branch], as_text)
        parts.append(Part(outline=outline, text=text, branch=branch))
    done = all(result.ok and UNFINISHED not in result.flags for result in joined.results)
    return Block(
        parts=tuple(parts),
        finished=joined.winding_down or (done and None not in forked.ids),
        sources=tuple(result.branch for result in joined.results if result.ok),
    )


def _tell(result: Result, as_text: Text) -> str:
    """A branch's text; of one that failed or was stopped, what it wrote until then, and why."""
    if result.ok:
        return as_text(result.value)
    return f"{as_text(result.text)} [cut short: {escape(result.cause)}]"


def splice_block(
    form: Form, block: Block, decoding: Decoding, overflow: str
) -> Generator[Action, Any, tuple[Segment, Block, str]]:
    """Splice a block and decode on: the next segment, the block, and the text that was spliced.

    Where the engine says that its prompt has become too long, the block is said shorter: with `overflow` "summary" by
    a child for each branch, then (or with "truncate", at once) by cutting each branch in the middle, with a mark. With
    "refuse", and when even that is too long, DecodeFailed is raised.
    """
    parts, text = block.parts, block.there
    for way in WAYS[overflow]:
        if way == "summary":
            parts = yield from _summarise(parts)
        elif way == "truncate":
            parts = tuple(replace(part, text=truncate(part.text, SHORT)) for part in parts)
        before, text = text, form.written(parts)
        yield rewrite(before, text)
        try:
            segment: Segment = yield Think(decoding)
        except DecodeFailed as failed:
            if failed.cause != Cause.PROMPT_TOO_LONG or way == WAYS[overflow][-1]:
                raise
        else:
            break
    return segment, block, text


def _summarise(parts: Sequence[Part]) -> Generator[Action, Any, tuple[Part, ...]]:
    """Each branch in the words of a child that reads it alone, which fits where the branch did. One that got no
    summary stays as it is."""
    summaries: dict[BranchId, Outline] = {}
    for part in parts:
        if part.branch is not None:
            request = SHORTEN.format(outline=escape(part.outline.text))
            messages = (say("user", request, Output(branch=part.branch)),)
            child = Thought(base=Base.PROBLEM, messages=messages, role="summary", label=part.outline.text)
            merged: Forked = yield Merge(merged=(part.branch,), child=child)
            summaries |= dict.fromkeys(merged.branches, part.outline)
    joined: Joined = yield Join(targets=tuple(summaries))
    told = {summaries[r.branch]: f" {escape(r.value.strip())}" for r in joined.results if r.ok}
    return tuple(replace(part, text=told.get(part.outline, part.text)) for part in parts)
