r"""Reads what an answer says, as a careful reader would, into a value that can be compared and hashed.

Two answers are equal where their readings are. So equality is symmetric and transitive by construction, and groups of
equal answers do not depend on who came first. Only a `Formula` says less than it means: whether `2\sqrt{2}` is
`\sqrt{8}` takes algebra, which is not done here.

An answer of more than LENGTH characters is text, and nothing in it is read any closer: all that follows is bounded.
"""

import re
import unicodedata
from functools import lru_cache

from anabranch.dag.answers.dates import read_date
from anabranch.dag.answers.expressions import fold_words, read_expression
from anabranch.dag.answers.latex import for_algebra, plain, use_carets
from anabranch.dag.answers.lists import brackets, is_listed, split_items
from anabranch.dag.answers.meaning import Choice, Formula, Meaning, Quantity, Set, Several, Words
from anabranch.dag.answers.quantities import (
    number_in,
    read_empty_set,
    read_limit,
    read_quantity,
    read_range,
    read_ratio,
)

LENGTH = 1_000
"""Characters up to which an answer is read as more than text."""
DEPTH = 6
"""Brackets in brackets up to which a list is read as one."""


def read(answer: str) -> Meaning:
    """Reads what an answer says. Takes time linear in its length, and a bounded time beyond folding its case."""
    return _read(answer) if len(answer) <= LENGTH else Words(fold_words(answer))


@lru_cache(maxsize=4096)
def _read(answer: str) -> Meaning:
    text = use_carets(plain(unicodedata.normalize("NFC", answer)).replace("`", ""))
    text = _BOLD.sub(r"\1", text)
    if text.count("$") > 1:
        text = _MATH_MARK.sub("", text)
    return _read_whole(_BLANKS.sub(" ", text).strip(), answer)


def expression(meaning: Meaning, answer: str) -> str:
    """Writes an answer for algebra, which knows no units: its value in base units."""
    match meaning:
        case Quantity():
            return str(meaning.value)
        case Formula(factor=factor) if factor != 1:
            return rf"\frac{{{factor.numerator}}}{{{factor.denominator}}} \cdot ({meaning.text})"
        case Formula(dimensions=dimensions) if dimensions:
            return meaning.text
        case _:
            return for_algebra(answer)


def drop_unit(answer: str) -> Meaning:
    """Reads an answer and leaves its unit out: of 10 cm, 10. An answer without a unit is read as it is."""
    meaning = read(answer)
    if isinstance(meaning, Formula):
        return Formula(meaning.text)
    if not isinstance(meaning, Quantity) or not meaning.dimensions:
        return meaning
    value = number_in(plain(answer).strip().rstrip("."))
    return meaning if value is None else Quantity(value)


_BLANKS = re.compile(r"[ \t\r\n]+")
_BOLD = re.compile(r"\*\*(?=\S)((?:[^*]|\*(?!\*))+)(?<=\S)\*\*")
_MATH_MARK = re.compile(r"\$(?!\s?[-+]?[0-9.])")
_FULL_STOP = re.compile(r"(?:[ .\u3002]|(?<=[^\W\d_]{2})!)+\Z")
"""What ends a sentence; behind a number, a bracket or a single letter `!` is a factorial."""
_NAMED = re.compile(r"[A-Za-z]\s?(?:=|\\in(?![A-Za-z]))\s?(?![=<>])")
"""The letter is only a name: of one question's answers, `x = 5`, `n = 5` and `5` agree. That the lines `x = 5` and
`y = 5` agree, too, follows from it: equality is transitive, and `5` is equal to both."""
_LETTER = re.compile(
    r"(?:(?:the\s)?(?:correct\s)?(?:option|choice|answer)\s(?:is\s)?)?(?:([A-J])[.:)\]]?|[(\[]([A-Ja-j])[)\]][.:]?|([a-j])\))",
    re.IGNORECASE,
)
_LISTED_CHOICE = re.compile(r"\([A-J]\)|[A-J]")
_OPTION = re.compile(r"(?:[(\[]([A-J])[)\]]|([A-J])\))[.:]?\s{1,4}\S.*", re.DOTALL)
_BARE = re.compile(r"[a-z]")


def _read_whole(text: str, answer: str) -> Meaning:
    """Reads all of an answer."""
    text = _FULL_STOP.sub("", text)
    if not any(letter.isalnum() for letter in text):
        return read_empty_set(text) or Words(fold_words(answer))
    if choice := _read_choice(text):
        return choice
    named = _NAMED.match(text)
    if named and "=" not in text[named.end() :]:
        value = _read_part(text[named.end() :], 0)
        if not isinstance(value, Formula | Words):
            return value
    return _read_part(text, 0)


def _read_choice(text: str) -> Choice | None:
    letter = _LETTER.fullmatch(text) if not _BARE.fullmatch(text) else None
    option = letter or _OPTION.fullmatch(text)
    return Choice(next(filter(None, option.groups())).upper()) if option else None


def _read_part(text: str, depth: int) -> Meaning:
    """Reads an answer, or one item of a list."""
    text = text.strip()
    simple = (
        read_date(text) or read_quantity(text) or read_ratio(text) or read_range(text) or read_limit(text)
    )
    return simple or _read_several(text, depth) or read_expression(text)


def _read_several(text: str, depth: int) -> Several | Set | None:
    """Reads a list with its brackets, a set, or items with commas between; gives None for what is none of them."""
    if depth >= DEPTH:
        return None
    opens, closes, inner = brackets(text)
    if not opens and not is_listed(text):
        return None
    parts = split_items(inner)
    if parts is None or (len(parts) < 2 and opens not in {"{", "["}):
        return None
    if len(parts) > 1 and opens != "[" and all(map(_LISTED_CHOICE.fullmatch, parts)):
        return Set(frozenset(Choice(part.strip("()")) for part in parts))
    items: list[Meaning] = []
    for part in parts:
        item = _read_part(part, depth + 1)
        items += item.items if isinstance(item, Several) and not item.opens else (item,)
    if opens == "{":
        return Set(frozenset(items)) if len(items) > 1 or text.startswith("\\") else None
    return Several(opens, tuple(items), closes)
