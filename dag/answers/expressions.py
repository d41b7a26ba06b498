"""Tells formulas from text: a formula has no word in it, so algebra may make two of them equal."""

import re

from anabranch.dag.answers.meaning import Formula, Words
from anabranch.dag.answers.units import NO_UNIT, read_unit

_COMMAND = re.compile(r"\\(?:begin|end)\{[A-Za-z*]{1,20}\}|\\[A-Za-z]+")
_RUN = re.compile(r"[^\W\d_]+")
_MATHEMATICAL = re.compile(r"[\\^_=+*/<>|()\[\]{}0-9-]")
FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp sqrt cbrt abs max min mod gcd lcm det "
    "lim inf sup pi theta alpha beta gamma delta lambda phi sigma omega oo infty infinity floor ceil".split()
)
_SHORT = frozenset("or to is no of at on by am pm it if as we us an".split())
_ORDINAL = re.compile(r"[0-9](?:st|nd|rd|th)\b")
_APART = re.compile(r"[0-9]\s[0-9]")
"""Two numbers without a mark between: glued they would be another one."""
_GREEK = re.compile(r"[\u0391-\u03c9]")
_LAST_WORD = re.compile(r"(.*\S)\s+(\S{2,30}|°)", re.DOTALL)
_NEEDED = re.compile(r"(?:(?<=[0-9])|(\\[A-Za-z]+))\s+(?=(?(1)[A-Za-z]|[0-9]))")
"""The blank that ends a command before a letter, or a number before a number."""
_BRACED = re.compile(r"(?<!\\)(?<![A-Za-z])\{(\w)\}")
_ARTICLE = re.compile(r"(?:the|an|a)\s(?=\S)")


def read_expression(text: str) -> Formula | Words:
    """Reads a formula, with the unit behind it; gives text where there is a word in it."""
    last = _LAST_WORD.fullmatch(text)
    unit = read_unit(last[2]) if last and _MATHEMATICAL.search(last[1]) and not _is_prose(last[1]) else None
    if last and unit and unit is not NO_UNIT:
        return Formula(_tight(last[1]), unit.dimensions, unit.factor)
    return Words(fold_words(text)) if _is_prose(text) else Formula(_tight(text))


def _tight(text: str) -> str:
    """Removes the blanks and braces that say nothing from a formula."""
    text = "".join(_NEEDED.sub(lambda found: (found[1] or "") + "\0", text).split()).replace("\0", " ")
    return _BRACED.sub(r"\1", text).removeprefix("+")


def _is_prose(text: str) -> bool:
    """Tells whether a text has a word in it: algebra cannot make two of these equal."""
    bare = _COMMAND.sub(" ", text)
    if _ORDINAL.search(bare) or ("\\" not in text and _APART.search(bare)):
        return True
    mathematical = bool(_MATHEMATICAL.search(text))
    for run in _RUN.findall(bare):
        word = run.lower()
        if any(ord(letter) > 127 for letter in _GREEK.sub("", run)):
            return True
        if word in _SHORT or (word not in FUNCTIONS and len(run) >= (3 if mathematical else 2)):
            return True
    return any(letter.isalnum() and ord(letter) > 127 and not _GREEK.match(letter) for letter in bare)


def fold_words(text: str) -> str:
    """Writes text as it is compared: without case, without an article before it or a full stop behind it."""
    folded = " ".join(text.casefold().split())
    folded = folded.rstrip(".!\u3002") or folded
    return _ARTICLE.sub("", folded, count=1) if _ARTICLE.match(folded) else folded
