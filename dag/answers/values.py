r"""Finds the last value in prose: a number with all that belongs to it, so that nothing is torn apart.

A sign is a sign only where no digit or letter stands before it; a number within a word (H2O) is none; of a date, a
range, a power, a root, a fraction, a mixed number, a version or an address no part is taken for the whole: where the
whole is none of the forms below (x^2), it is no value. Digits of other scripts are text. One pass: each pattern begins
at a digit, a sign, a root, π or a month, and its repetitions are bounded but for runs of digits, which are never looked
at twice.
"""

import re
from collections import deque

from anabranch.dag.answers.dates import MONTHS
from anabranch.dag.answers.units import read_unit

LONGEST = 120
"""Characters of the longest value: a run of digits beyond is no value that anyone wrote down."""

TAIL = 4_096
"""Characters at the end of a text in which its last value is looked for."""

# Runs of digits are possessive (++): what was matched is never given back. Groups are not, since before 3.11.5 re kept
# what a possessive group had matched when it failed (CPython #106052): what follows a number forbids to tear it apart.
_ONE = r"[0-9]++(?:\.[0-9]++|(?!\.[0-9]))"
_BETWEEN = r"\\?\{?[,\u2009\u202f\u00a0]\}?"
_N = rf"{_ONE}(?:{_BETWEEN}{_ONE})*(?!{_BETWEEN}[0-9])"
_RAISED = r"\s?(?:\^|\*\*)\s?"
_ABOVE = r"[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]"
_UP = rf"(?:{_RAISED}(?:\{{\s?)?[-+\u2212]?[0-9]++(?:\s?\}})?|[\u207a\u207b]?{_ABOVE}++)"
_UNKNOWN = r"(?:[A-Za-z](?!\w)|\\circ|\{[^{}\n]{1,40}\}|\([^()\n]{1,40}\))"
_TIMES = rf"{_N}\s?(?:(?:[*\u00b7\u00d7]|\\cdot|\\times)\s?)?"
_OVER = rf"(?:\s?/\s?{_N})?(?!\w)"
_PI = r"(?:\u03c0|\\?pi\b)"
_ROOT = rf"(?:\u221a|\\?sqrt)\s?(?:\{{\s?{_N}\s?\}}|\(\s?{_N}\s?\)|{_N})"
_MONTH = rf"(?:{'|'.join(f'{month.capitalize()}|{month[:3].capitalize()}' for month in MONTHS)}|Sept)\b\.?"
_VALUES = (
    rf"{_MONTH}\s{{1,4}}[0-9]{{1,2}}(?:st|nd|rd|th)?(?:,?\s{{1,4}}[0-9]{{4}})?(?![0-9])",
    rf"[0-9]{{1,2}}(?:st|nd|rd|th)?\s{{1,4}}(?:of\s)?{_MONTH}(?:,?\s{{1,4}}[0-9]{{4}})?",
    rf"{_MONTH}\s{{1,4}}[0-9]{{4}}(?![0-9])",
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?![0-9])",
    r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}(?![0-9])",
    r"[0-9]{1,9}:[0-9]{1,9}(?::[0-9]{2})?(?:\s?[AaPp]\.?[Mm]\b\.?)?",
    r"[0-9]{1,2}\s?[AaPp]\.?[Mm]\b\.?",
    rf"(?:[0-9]++\s?)?\\[dt]?frac\s?\{{\s?-?{_N}\s?\}}\s?\{{\s?{_N}\s?\}}",
    rf"{_N}\s?(?:[x*\u00d7]|\\times|\\cdot)\s?10{_UP}",
    rf"{_N}{_UP}",
    rf"{_N}{_RAISED}{_UNKNOWN}",
    rf"{_N}[eE][-+]?[0-9]++",
    rf"(?:{_TIMES})?{_ROOT}{_OVER}",
    rf"{_TIMES}{_PI}{_OVER}",
    rf"{_PI}\s?/\s?{_N}(?!\w)",
    rf"(?:(?<=is\s)|(?<=is\s\$)|(?<==)|(?<==\s)|(?<==\s\$)){_PI}(?!\s?[\w*(])",
    r"[0-9]++(?:\.[0-9]++){2,}(?:,[0-9]++)?(?!\.?[0-9])",
    r"[0-9]++\s[0-9]++/[0-9]++(?!/)",
    rf"{_N}\s?%?(?:\s?[\u2013\u2014]\s?|-|\sto\s)[$€£]?{_N}",
    rf"{_N}\s?/\s?{_N}(?!/)",
    rf"{_N}",
    r"\.[0-9]++",
)
_VALUE = re.compile(
    r"(?<![A-Za-z0-9_.\u221a^])(?<![A-Za-z]-)(?<!\u221a[\s(])(?<!sqrt[\s({])(?<!\^\{)(?<![\w)\]}]\*\*)(?<!\s\*\*\s)"
    r"(?P<sign>(?<![0-9A-Za-z)\]}%!])[-+\u2212])?(?P<money>US\$|\\?\$|[€£¥₹])?(?P<inner>[-+\u2212])?"
    rf"(?P<value>{'|'.join(_VALUES)})(?P<percent>\s?\\?%|\sper\s?cent\b)?(?P<size>\s(?:hundred|thousand|million|billion|trillion)\b)?"
    rf"(?![A-Za-z0-9_](?!\b)|\.[0-9]|\s?\^|\s?[*\u00b7]?\s?(?:[\u03c0\u221a]|\\?pi\b|\\?sqrt)|[\u207a\u207b]|{_ABOVE}|(?:\*\*|\s\*\*\s)[\w(\[{{\\])"
)
_UNIT = re.compile(
    r"\s?([^\W\d_]{1,12}|°(?:\s?[CF]\b)?)(\s?/\s?[A-Za-z]{1,4}(?:\^?[0-9])?|\^[0-9])?(\s[a-z]{2,10})?(\s[a-z]{2,10})?"
)
_ENDS = re.compile(r"\s{0,4}(?:[.,;:!?)*$\n]|\Z)")


def last_value(text: str) -> str | None:
    """Finds the last value that a text names, with its unit; gives None when it names none."""
    last = deque(_VALUE.finditer(text, _find_tail(text)), maxlen=1)
    found = last[0] if last else None
    if found is None or found.end() - found.start() > LONGEST:
        return None
    value = re.sub(r"(?:US|\\)?\$", "", found[0])
    return value + _find_unit(text[found.end() : found.end() + 60])


def _find_tail(text: str) -> int:
    """Finds where the last TAIL characters begin, or the word behind that: no number is torn apart."""
    begin = len(text) - TAIL
    blank = text.find(" ", begin, begin + 2 * LONGEST) if begin > 0 else -1
    return max(begin, blank, 0)


def _find_unit(text: str) -> str:
    """Finds the longest name of a unit with which a text begins; it is empty when there is none."""
    named = _UNIT.match(text)
    if named is None:
        return ""
    ends = [named.end(group) for group in (4, 3, 2, 1) if named[group]]
    for end in ends:
        name = text[:end].strip()
        alone = (len(name) > 1 and name != "in") or _ENDS.match(text, end)
        if alone and read_unit(name) is not None:
            return text[:end]
    return ""
