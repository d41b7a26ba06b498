r"""Reads a number, where the whole of a text is one number in a closed list of forms; anything else is none.

The forms: digits with separators in threes (1,234.5; 1 234; 1'234; 1.234.567; none begins with 0), a repeating
decimal (0.1\overline{6}), a fraction (3/4), a mixed number (2 1/2 is a sum),
a power or scientific notation (10^3, 10**3, 1.5e3, 1.5*10^3), each with a sign before it and behind it a magnitude
(1.5 million) or a percent sign. Sizes are bounded before anything is computed: what is longer is text.
"""

import re
from fractions import Fraction

from anabranch.dag.answers.latex import THIN

DIGITS = 400
"""Digits and powers of ten up to which a number is read. Nobody writes a longer one by hand, and its arithmetic would
take time that grows faster than its text."""

_THREES = (
    rf"[1-9][0-9]{{0,2}}(?:(?:,[0-9]{{3}})+|(?:[ {THIN}][0-9]{{3}})+|(?:'[0-9]{{3}})+)(?![0-9])(?:\.[0-9]+)?"
)
_PLAIN = rf"(?:{_THREES}|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_EXPONENT = r"(?:[({]\s?)?([+-]?\s?[0-9]{1,6})(?:\s?[)}])?"
_RAISED = r"\s?(?:\^|\*\*)\s?"

_DECIMAL = re.compile(rf"({_PLAIN})(?:[eE]([+-]?[0-9]{{1,6}}))?")
_CONTINENTAL = re.compile(r"([1-9][0-9]{0,2}(?:\.[0-9]{3})+),([0-9]+)|([1-9][0-9]{0,2}(?:\.[0-9]{3}){2,})")
_REPEATING = re.compile(r"([0-9]*)\.([0-9]*)\s?\\overline\s?(?:\{([0-9]+)\}|([0-9]))")
_MIXED = re.compile(r"([0-9]+)(?:\s+|\s+and\s+)([0-9]+)\s?/\s?([0-9]+)")
_RATIO = re.compile(rf"({_PLAIN})\s?/\s?(-?)({_PLAIN})")
_SCIENTIFIC = re.compile(rf"({_PLAIN})\s?[*x]\s?10{_RAISED}{_EXPONENT}")
_POWER = re.compile(rf"({_PLAIN}){_RAISED}{_EXPONENT}")

_PERCENT = re.compile(r"\s*(?:%|percent|per cent)\Z", re.IGNORECASE)
_MAGNITUDE = re.compile(r"\s+(hundred|thousand|million|billion|trillion|dozen)s?\Z", re.IGNORECASE)
_FACTORS = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12,
}  # fmt: skip


def read_number(text: str) -> Fraction | None:
    """Reads the exact value of a text that is one number; gives None for other texts, and for numbers beyond DIGITS."""
    text = text.strip()
    if not text or len(text) > DIGITS:
        return None
    sign = -1 if text[0] == "-" else 1
    text = text[1:].lstrip() if text[0] in "+-" else text
    percent, magnitude = _PERCENT.search(text), None
    if percent:
        text = text[: percent.start()]
    elif magnitude := _MAGNITUDE.search(text):
        text = text[: magnitude.start()]
    value = _read_unsigned(text)
    if value is None:
        return None
    factor = _FACTORS[magnitude[1].lower()] if magnitude else 1
    return sign * value * factor / (100 if percent else 1)


def _read_unsigned(text: str) -> Fraction | None:
    if found := _DECIMAL.fullmatch(text):
        return _scale(_read_decimal(found[1]), found[2] or "0")
    if found := _CONTINENTAL.fullmatch(text):
        return Fraction((found[1] or found[3]).replace(".", "") + "." + (found[2] or "0"))
    if found := _REPEATING.fullmatch(text):
        return _read_repeating(found[1] or "0", found[2], found[3] or found[4])
    if found := _MIXED.fullmatch(text):
        whole, part, of = map(int, found.groups())
        return Fraction(whole) + Fraction(part, of) if part < of else None
    if found := _RATIO.fullmatch(text):
        below = _read_decimal(found[3])
        return _read_decimal(found[1]) / below * (-1 if found[2] else 1) if below else None
    if found := _SCIENTIFIC.fullmatch(text):
        return _scale(_read_decimal(found[1]), found[2])
    if found := _POWER.fullmatch(text):
        return _raise_to(_read_decimal(found[1]), found[2])
    return None


def _read_decimal(text: str) -> Fraction:
    return Fraction(re.sub(rf"[,' {THIN}]", "", text))


def _read_repeating(whole: str, first: str, period: str) -> Fraction:
    """0.1666… is 0.1 and 6/90: the period over as many nines as it has digits, behind those that do not repeat."""
    tail = Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(first))
    return Fraction(f"{whole}.{first or 0}") + tail


def _scale(value: Fraction, exponent: str) -> Fraction | None:
    power = int(exponent.replace(" ", ""))
    return value * Fraction(10) ** power if abs(power) <= DIGITS else None


def _raise_to(base: Fraction, exponent: str) -> Fraction | None:
    power = int(exponent.replace(" ", ""))
    digits = max(len(str(base.numerator)), len(str(base.denominator)))
    if digits * abs(power) > DIGITS or (base == 0 and power <= 0):
        return None
    return base**power
