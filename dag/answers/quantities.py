"""Reads quantities: numbers with units, money, ratios, ranges, and what no arithmetic reaches."""

import re
from fractions import Fraction

from anabranch.dag.answers.expressions import FUNCTIONS
from anabranch.dag.answers.latex import THIN
from anabranch.dag.answers.lists import split_items
from anabranch.dag.answers.meaning import Quantity, Range, Ratio, Set, Words
from anabranch.dag.answers.numbers import DIGITS, read_number
from anabranch.dag.answers.units import name_unit, read_unit

_CODES = "USD|EUR|GBP|JPY|INR|KRW|CNY|CHF"
_MONEY = re.compile(rf"([+-]?)\s?(US\$|[$€£¥₹₩]|{_CODES})\s?([+-]?)\s?([0-9.].*)", re.DOTALL)
_RATE = re.compile(r"(?:\s?/\s?|\s(?:per|an|a)\s)([A-Za-z]{1,12})\Z")
_SUFFIX = re.compile(r"(.*[0-9.])\s?(bn|[kKMB])\Z", re.DOTALL)
_SUFFIXES = {"k": " thousand", "K": " thousand", "M": " million", "B": " billion", "bn": " billion"}
_LEADING = re.compile(
    rf"([+-]?\s?[0-9.](?:[0-9.,/^*'{THIN}]|[eE](?=[+-]?[0-9])|(?<=[eE^*({{/])[+-]|[({{](?=[+-]?[0-9]+[)}}])|(?<=[0-9])[)}}]|\s(?=[0-9*^/])|(?<=[*^/])\s)*"
    r"(?:\s(?:hundred|thousand|million|billion|trillion)\b)?)"
    r"\s?-?\s?(\S.*)",
    re.DOTALL | re.IGNORECASE,
)
_GLUED = frozenset("mgsLWV°%")
"""Units of one letter that are read right behind a number: 10m. Other letters there are variables: 3t."""
_COUNTED = re.compile(r"[^\W\d_]{2,}(?:[ '-][^\W\d_]{2,}){0,3}")


def read_quantity(text: str) -> Quantity | None:
    """Reads a number alone, with a sign of money before it, or with a unit or the name of what is counted behind it."""
    value = read_number(text)
    if value is not None:
        return Quantity(value)
    if text.startswith("(") and text.endswith(")") and len(split_items(text[1:-1]) or ()) == 1:
        value = read_number(text[1:-1])
        return None if value is None else Quantity(value)
    if money := _MONEY.fullmatch(text):
        return _read_money(money[2], money[1] or money[3], money[4])
    if compound := _read_compound(text):
        return compound
    found = _LEADING.fullmatch(text)
    value = read_number(found[1]) if found else None
    if found is None or value is None:
        return None
    name, apart = found[2], not text[found.end(1)].isalpha()
    unit = read_unit(name) if apart or len(name) > 1 or name in _GLUED else None
    if unit is None and apart and _COUNTED.fullmatch(name) and not FUNCTIONS.intersection(name.split()):
        unit = name_unit(name)
    return Quantity(value * unit.factor, unit.dimensions) if unit else None


_COMPOUND = re.compile(
    r"([0-9]{1,12})\s?([A-Za-z]{1,12})\.?\s(?:and\s)?([0-9]{1,12}(?:\.[0-9]{1,12})?)\s?([A-Za-z]{1,12})"
)


def _read_compound(text: str) -> Quantity | None:
    """5 feet 6 inches, 18 dollars and 50 cents: a sum of a greater unit and a smaller one."""
    found = _COMPOUND.fullmatch(text)
    if found is None:
        return None
    great, small = read_unit(found[2]), read_unit(found[4])
    if great is None or small is None or great.dimensions != small.dimensions or great.factor <= small.factor:
        return None
    value = Fraction(found[1]) * great.factor + Fraction(found[3]) * small.factor
    return Quantity(value, great.dimensions)


def _read_money(currency: str, sign: str, amount: str) -> Quantity | None:
    """An amount behind its sign; the currency may be named again: $5 USD."""
    amount = re.sub(rf"\s?(?:{_CODES}|dollars?|euros?)\Z", "", amount)
    if short := _SUFFIX.fullmatch(amount):
        amount = short[1] + _SUFFIXES[short[2]]
    rate = _RATE.search(amount)
    value = read_number(amount[: rate.start()] if rate else amount)
    unit = read_unit(f"{currency}/{rate[1]}" if rate else currency)
    if value is None or unit is None:
        return None
    return Quantity((-1 if sign == "-" else 1) * value * unit.factor, unit.dimensions)


_COLON = re.compile(r"([0-9]{1,9})\s?(?::|\sto\s)\s?([0-9]{1,9})")
_BETWEEN = re.compile(
    r"(?:(?:between|from)\s)?(\S.*?)(\s?\u2013\s?|\sto\s|\s?--\s?|\sand\s|(?<=[0-9%])\s?-\s?)(\S.*)",
    re.DOTALL | re.IGNORECASE,
)


def read_ratio(text: str) -> Ratio | None:
    found = _COLON.fullmatch(text) if ":" in text else None
    return Ratio(Fraction(int(found[1]), int(found[2]))) if found and int(found[2]) else None


def read_range(text: str) -> Range | None:
    """5-10, 5 to 10 km, between 5 and 10. One that does not rise is none: 10-5 is a difference, or a score."""
    found = _BETWEEN.fullmatch(text) if len(text) < 80 else None
    if not found or (found[2].strip().lower() == "and" and not text.lower().startswith("between")):
        return None
    low, high = read_quantity(found[1]), read_quantity(found[3])
    if low and high and not low.dimensions and high.dimensions:
        low = read_quantity(found[1] + " " + re.sub(r"\A[0-9.,\s]+", "", found[3]))
    if low is None or high is None or low.dimensions != high.dimensions or low.value >= high.value:
        return None
    return Range(low, high)


def number_in(text: str) -> Fraction | None:
    """The number of a quantity, as it is written: of 10 cm, 10."""
    money, leading = _MONEY.fullmatch(text), _LEADING.fullmatch(text)
    return read_number(money[1] + money[3] + money[4] if money else leading[1] if leading else text)


_ENDLESS = re.compile(r"([+-]?)\s?(?:\\infty|infinity|oo|inf)", re.IGNORECASE)
_BEYOND = re.compile(
    r"[+-]?\s?[0-9][0-9.,' \u2009]*(?:[eE][+-]?[0-9]+|[*x]\s?10\s?(?:\^|\*\*)\s?[{(]?[+-]?[0-9]+[)}]?)?\s?%?"
)


def read_limit(text: str) -> Words | Set | None:
    """What no arithmetic reaches: infinity, the empty set, and a number beyond all bounds, which is its digits."""
    if endless := _ENDLESS.fullmatch(text):
        return Words(endless[1].strip("+") + "infinity")
    if _BEYOND.fullmatch(text) and (len(text) > DIGITS or any(mark in text for mark in "eE^*")):
        return Words("".join(text.casefold().split()))
    return read_empty_set(text)


def read_empty_set(text: str) -> Set | None:
    return Set(frozenset()) if text.replace(" ", "") in {r"\emptyset", r"\{\}", "{}"} else None
