"""Counts the steps that a backtracking search takes: Python's own parse of a pattern, matched in Python.

The engine of `re` cannot be asked how much it did, and clocks are no measure in a test. This matcher tries what `re`
tries, in the same order, and counts each trial; like `re` it finds a first literal fast. `tests/dag/test_steps.py`
compares what both find.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from re import _constants as c
from re import _parser
from typing import Any

Rest = Callable[[int], bool]


class Steps:
    """One search of one pattern through one text."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self.count = 0
        self.ends: list[tuple[int, int]] = []
        self._text = text
        self._flags = pattern.flags
        self._groups: dict[int, bool] = {}
        self._tree = list(_parser.parse(pattern.pattern, pattern.flags))
        self._singles: dict[tuple[Any, ...], re.Pattern[str]] = {}

    def search_all(self) -> int:
        """Finds all matches, as `finditer` does; the steps it took."""
        at = 0
        while at <= len(self._text):
            end = self._match_at(at)
            if end is None:
                at += 1
                continue
            self.ends.append((at, end))
            at = end if end > at else at + 1
        return self.count

    def match_first(self) -> int:
        """Tries to match at the beginning only, as `match` and `fullmatch` do; the steps it took."""
        self._match_at(0)
        return self.count

    def _match_at(self, at: int) -> int | None:
        found: list[int] = []
        self._groups = {}

        def accept(end: int) -> bool:
            found.append(end)
            return True

        return found[0] if self._run(self._tree, 0, at, accept) else None

    def _run(self, tree: list[Any], index: int, at: int, rest: Rest) -> bool:
        while index < len(tree):
            self.count += 1
            kind, value = tree[index]
            if self._is_single(kind):
                if not self._one(kind, value, at):
                    return False
                at, index = at + 1, index + 1
                continue
            return self._complex(kind, value, at, partial(self._go_on, tree, index + 1, rest))
        return rest(at)

    def _go_on(self, tree: list[Any], index: int, rest: Rest, at: int) -> bool:
        return self._run(tree, index, at, rest)

    @staticmethod
    def _is_single(kind: Any) -> bool:
        return kind in (c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN)

    def _complex(self, kind: Any, value: Any, at: int, rest: Rest) -> bool:
        if kind in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            low, high, inner = value
            return self._repeat(kind, low, high, inner, at, rest)
        if kind is c.SUBPATTERN:
            number, _, _, inner = value

            def closed(end: int) -> bool:
                before = self._groups.get(number, False)
                self._groups[number] = True
                if rest(end):
                    return True
                self._groups[number] = before
                return False

            return self._run(list(inner), 0, at, closed)
        if kind is c.BRANCH:
            return any(self._run(list(way), 0, at, rest) for way in value[1])
        if kind is c.ATOMIC_GROUP:
            end = self._first(list(value), at)
            return end is not None and rest(end)
        if kind in (c.ASSERT, c.ASSERT_NOT):
            return self._asserted(value, at) is (kind is c.ASSERT) and rest(at)
        if kind is c.AT:
            return self._at(value, at) and rest(at)
        if kind is c.GROUPREF_EXISTS:
            number, yes, no = value
            way = yes if self._groups.get(number) else no or []
            return self._run(list(way), 0, at, rest)
        raise NotImplementedError(str(kind))

    def _first(self, tree: list[Any], at: int) -> int | None:
        ends: list[int] = []

        def accept(end: int) -> bool:
            ends.append(end)
            return True

        return ends[0] if self._run(tree, 0, at, accept) else None

    def _asserted(self, value: Any, at: int) -> bool:
        direction, inner = value
        if direction > 0:
            return self._first(list(inner), at) is not None
        low, high = inner.getwidth()
        return any(at - w >= 0 and self._first(list(inner), at - w) == at for w in range(low, high + 1))

    def _repeat(self, kind: Any, low: int, high: Any, inner: Any, at: int, rest: Rest) -> bool:
        most = len(self._text) + 1 if high is c.MAXREPEAT else int(high)
        tree = list(inner)
        if len(tree) == 1 and self._is_single(tree[0][0]):
            [(single, value)] = tree
            return self._repeat_single(kind, low, most, single, value, at, rest)
        if kind is c.POSSESSIVE_REPEAT:
            done = 0
            while done < most and (end := self._first(tree, at)) is not None and (end > at or done < low):
                at, done = end, done + 1
            return done >= low and rest(at)
        return self._repeat_group(kind, low, most, tree, at, rest)

    def _repeat_group(self, kind: Any, low: int, most: int, tree: list[Any], at: int, rest: Rest) -> bool:
        def again(done: int, here: int) -> bool:
            def more() -> bool:
                return done < most and self._run(
                    tree, 0, here, lambda end: (end > here or done < low) and again(done + 1, end)
                )

            if done < low:
                return more()
            return more() or rest(here) if kind is c.MAX_REPEAT else rest(here) or more()

        return again(0, at)

    def _repeat_single(
        self, kind: Any, low: int, most: int, single: Any, value: Any, at: int, rest: Rest
    ) -> bool:
        if kind is c.MIN_REPEAT:
            end = at
            while end - at < most:
                if end - at >= low and rest(end):
                    return True
                self.count += 1
                if not self._one(single, value, end):
                    return False
                end += 1
            return rest(end)
        end = at
        while end - at < most and self._one(single, value, end):
            self.count += 1
            end += 1
        if kind is c.POSSESSIVE_REPEAT:
            return end - at >= low and rest(end)
        while end - at >= low:
            self.count += 1
            if rest(end):
                return True
            end -= 1
        return False

    def _one(self, kind: Any, value: Any, at: int) -> bool:
        if at >= len(self._text):
            return False
        letter = self._text[at]
        if kind is c.ANY:
            return bool(self._flags & re.DOTALL) or letter != "\n"
        key = (kind, repr(value))
        if key not in self._singles:
            self._singles[key] = re.compile("".join(_written(kind, value)), self._flags & ~re.DOTALL)
        return self._singles[key].fullmatch(letter) is not None

    def _at(self, value: Any, at: int) -> bool:
        text, many = self._text, bool(self._flags & re.MULTILINE)
        before = text[at - 1] if at else ""
        here = text[at] if at < len(text) else ""
        if value is c.AT_BEGINNING:
            return at == 0 or (many and before == "\n")
        if value is c.AT_BEGINNING_STRING:
            return at == 0
        if value is c.AT_END_STRING:
            return at == len(text)
        if value is c.AT_END:
            return at == len(text) or text[at:] == "\n" or (many and here == "\n")
        word = re.compile(r"\w", self._flags & re.ASCII)
        edge = bool(word.match(before)) != bool(word.match(here))
        return edge is (value is c.AT_BOUNDARY)


def _written(kind: Any, value: Any) -> Iterator[str]:
    """A single-letter node as a pattern again."""
    names = {
        c.CATEGORY_DIGIT: r"\d", c.CATEGORY_NOT_DIGIT: r"\D", c.CATEGORY_SPACE: r"\s", c.CATEGORY_NOT_SPACE: r"\S",
        c.CATEGORY_WORD: r"\w", c.CATEGORY_NOT_WORD: r"\W",
    }  # fmt: skip
    match kind:
        case c.LITERAL:
            yield re.escape(chr(value))
        case c.NOT_LITERAL:
            yield f"[^{re.escape(chr(value))}]"
        case _:
            yield "["
            for each, what in value:
                if each is c.NEGATE:
                    yield "^"
                elif each is c.LITERAL:
                    yield re.escape(chr(what))
                elif each is c.RANGE:
                    yield f"{re.escape(chr(what[0]))}-{re.escape(chr(what[1]))}"
                else:
                    yield names[what]
            yield "]"
