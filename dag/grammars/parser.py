"""Reads decoded text incrementally, by a grammar's table of rules: the one parser behind all grammars.

No more than one unfinished tag is kept, and no more than TAG_LIMIT characters of it. Each character is looked at once
to find the marks `<…>`, and once more where it lies in one. What all grammars have in common:

* Between an opening and its closing mark nothing is control: other marks there are the tag's text. Where the table
  says that a tag may not hold marks (a sub-query), it is malformed as `nested`, and still nothing in it is obeyed.
* Whether a tag stops decoding depends on its kind alone, well formed or not. Only one that is too long never stops it:
  it is reported at its TAG_LIMIT-th character, and what follows is read as if it had not been opened.
* A malformed tag has its raw span as `body`, and reading goes on behind it. The problems: `nested`, `mismatched`
  (closed under another number), `empty`, `too-long`, `unclosed`, what a rule's own checks say, and, in the strict
  reading, `spelling` and `unopened` (a closing mark alone).
* The lenient reading takes every spelling in `marks.py`. Where the table says that marks may be quoted, it ignores an
  opening mark within `inline code`, that is, after an odd number of backticks on its line. Fenced blocks are read:
  prompted models like to fence their tags, and a fence that is never closed must not switch a grammar off. Closing
  marks are never quoted.
* The strict reading, and tables whose published client reads every mark, have no quoting.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from io import StringIO

from anabranch.dag.decoding import Tag
from anabranch.dag.grammars.grammar import Cut
from anabranch.dag.grammars.marks import spelling
from anabranch.dag.grammars.splitter import MARK_LIMIT, Stretches
from anabranch.dag.grammars.table import Rule, Table

TAG_LIMIT = 65_536
"""Characters of the longest tag, from its opening `<` to its closing `>`."""

_NUMBER = re.compile("[0-9]+")


def inside(tag: Tag) -> str:
    """What an unclosed tag held: its raw span without the opening mark."""
    return tag.body.partition(">")[2]


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark that was read."""

    rule: Rule
    text: str
    ident: str
    closing: bool
    canonical: bool
    """Spelled as in the template."""

    def tag(self, problem: str) -> Tag:
        """The tag that is no more than this mark."""
        return Tag(kind=self.rule.kind, ident=self.ident, body=self.text if problem else "", problem=problem)


@dataclass(slots=True)
class _Open:
    """A tag whose closing mark has not come yet."""

    rule: Rule
    begin: int
    """Offset of its first character."""
    ident: str = ""
    head: int = 0
    """Characters of its opening mark."""
    problem: str = ""
    """The first one found."""
    span: StringIO = field(default_factory=StringIO)

    def hold(self, mark: _Mark, strict: bool) -> None:
        """Takes a mark inside as text."""
        self.span.write(mark.text)
        if strict or not self.rule.literal:
            self.problem = self.problem or "nested"

    def closed(self, mark: _Mark, strict: bool) -> Tag:
        """The tag, now that its closing mark has come."""
        body = self.span.getvalue()[self.head :]
        self.span.write(mark.text)
        problem = self.problem or self._problem(mark, body, strict)
        return self.malformed(problem) if problem else Tag(kind=self.rule.kind, ident=self.ident, body=body)

    def malformed(self, problem: str) -> Tag:
        """What has come of the tag, and what is wrong with it."""
        return Tag(kind=self.rule.kind, ident=self.ident, body=self.span.getvalue(), problem=problem)

    def _problem(self, mark: _Mark, body: str, strict: bool) -> str:
        if mark.ident != self.ident:
            return "mismatched"
        if strict and not mark.canonical:
            return "spelling"
        if not body.strip():
            return "empty"
        return self.rule.check(body) or (self.rule.form(body) if strict else "")


class TagParser:
    """Reads decoded text by a table: the `Parser` of `grammar.py`."""

    def __init__(self, table: Table, *, strict: bool = False) -> None:
        self._templates = _templates(table.rules)
        self._strict = strict
        self._quotes = table.quotes and not strict
        self._stretches = Stretches()
        self._end = 0  # characters in all stretches so far
        self._open = _Open(table.within, begin=0) if table.within else None
        self._in_code = False
        self._stopped = False

    def feed(self, text: str) -> tuple[Cut, ...]:
        """See `Parser`. A Cut's offset always lies in the text fed by this call."""
        cuts: list[Cut] = []
        at = 0
        while at < len(text) and not self._stopped:
            part = text[at : at + self._room()]
            at += len(part)
            cuts += self._feed(part)
        return tuple(cuts)

    def close(self) -> Tag | None:
        """See `Parser`."""
        if self._open is None:
            return None
        self._open.span.write(self._stretches.held)
        return self._open.malformed("unclosed")

    def _room(self) -> int:
        """Characters until a tag can become too long: the open one, or one whose `<` is held."""
        if self._open is None:
            return TAG_LIMIT - MARK_LIMIT
        return self._open.begin + TAG_LIMIT - self._end - len(self._stretches.held)

    def _feed(self, part: str) -> list[Cut]:
        cuts: list[Cut] = []
        for stretch in self._stretches.split(part):
            self._end += len(stretch)
            mark = self._mark(stretch) if stretch.startswith("<") else None
            if mark is None:
                self._pass(stretch)
            else:
                cuts += self._read(mark)
            if cuts and cuts[-1].stops:
                self._stopped, self._open = True, None
                return cuts
        if self._open and self._room() == 0:
            cuts.append(self._give_up(self._open))
        return cuts

    def _mark(self, text: str) -> _Mark | None:
        for pattern, template, rule in self._templates:
            if pattern.fullmatch(text):
                closing = template == rule.closes
                if self._in_code and self._quotes and not closing and not template.startswith("</"):
                    return None
                number = _NUMBER.search(text)
                ident = number.group() if number else ""
                return _Mark(rule, text, ident, closing, canonical=text == template.replace("#", ident))
        return None

    def _pass(self, text: str) -> None:
        """Plain text: part of the open tag, or nothing to us."""
        line = text.rfind("\n") + 1
        self._in_code = (text.count("`", line) + (self._in_code and line == 0)) % 2 == 1
        if self._open:
            self._open.span.write(text)

    def _read(self, mark: _Mark) -> list[Cut]:
        if self._open and not mark.rule.anywhere:
            return self._within(self._open, mark)
        if mark.closing:
            return [self._cut(mark.tag("unopened"), mark.rule)] if self._strict else []
        problem = "spelling" if self._strict and not mark.canonical else ""
        if not mark.rule.closes:
            return [self._cut(mark.tag(problem), mark.rule)]
        head = len(mark.text)
        self._open = _Open(mark.rule, self._end - head, mark.ident, head, problem)
        self._open.span.write(mark.text)
        return []

    def _within(self, tag: _Open, mark: _Mark) -> list[Cut]:
        if not (mark.closing and mark.rule is tag.rule):
            tag.hold(mark, self._strict)
            return []
        self._open = None
        return [self._cut(tag.closed(mark, self._strict), tag.rule)]

    def _give_up(self, tag: _Open) -> Cut:
        """A tag is too long. A mark does not reach over a cut, so one half read becomes text."""
        held, self._stretches.held = self._stretches.held, ""
        self._end += len(held)
        self._pass(held)
        self._open = None
        return Cut(offset=self._end, tag=tag.malformed("too-long"), stops=False)

    def _cut(self, tag: Tag, rule: Rule) -> Cut:
        return Cut(offset=self._end, tag=tag, stops=rule.stops)


@cache
def _templates(rules: tuple[Rule, ...]) -> tuple[tuple[re.Pattern[str], str, Rule], ...]:
    marks = ((rule, template) for rule in rules for template in (rule.opens, rule.closes) if template)
    return tuple((spelling(template), template, rule) for rule, template in marks)
