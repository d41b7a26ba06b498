"""Reads a date or a time of day, where the whole of a text is one.

A date of three numbers is read only where it has one meaning: 2024-03-05, 13/03/2024. 03/05/2024 is the third of May
to some and the fifth of March to others: it equals what is written so, and nothing else. 3:30 without am or pm is a
time or a ratio, and equals what is written so.
"""

import re
from dataclasses import dataclass

MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)\b\.?"
)
_DAY = r"([0-9]{1,2})(?:st|nd|rd|th)?"
_FLAGS = re.IGNORECASE | re.ASCII
_ISO = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})")
_NUMERIC = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})")
_MONTH_FIRST = re.compile(rf"({_MONTH})\s{{1,4}}{_DAY}(?:\s?,?\s{{1,4}}([0-9]{{4}}))?", _FLAGS)
_DAY_FIRST = re.compile(
    rf"(?:the\s)?{_DAY}\s{{1,4}}(?:of\s)?({_MONTH})(?:\s?,?\s{{1,4}}([0-9]{{4}}))?", _FLAGS
)
_MONTH_ONLY = re.compile(rf"({_MONTH})\s?,?\s{{1,4}}([0-9]{{4}})", _FLAGS)
_TIME = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))?(?::([0-9]{2}))?\s{0,2}([ap])\.?m\.?", _FLAGS)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_WEEKDAY = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s{1,4}", _FLAGS)


@dataclass(frozen=True, slots=True)
class Date:
    """A day of the calendar. 0 for what was not said."""

    year: int
    month: int
    day: int


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day, in seconds since midnight."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Numerals:
    """Numbers with marks between, whose meaning depends on a custom that the text does not tell."""

    mark: str
    numbers: tuple[int, ...]


def read_date(text: str) -> Date | Time | Numerals | None:
    """Reads a text that is a date or a time of day; gives None for any other."""
    if len(text) > 40:
        return None
    text = _WEEKDAY.sub("", text, count=1)
    return _read_calendar(text) or _read_numeric(text) or _read_time(text)


def _read_calendar(text: str) -> Date | None:
    if found := _ISO.fullmatch(text):
        return _make_date(int(found[1]), int(found[2]), int(found[3]))
    if found := _MONTH_FIRST.fullmatch(text):
        return _make_date(int(found[3] or 0), _read_month(found[1]), int(found[2]))
    if found := _DAY_FIRST.fullmatch(text):
        return _make_date(int(found[3] or 0), _read_month(found[2]), int(found[1]))
    if found := _MONTH_ONLY.fullmatch(text):
        return Date(int(found[2]), _read_month(found[1]), 0)
    return None


def _read_numeric(text: str) -> Date | Numerals | None:
    found = _NUMERIC.fullmatch(text)
    if not found:
        return None
    first, second, year = (int(number) for number in found.groups())
    if first > 12 or first == second:
        return _make_date(year, second, first)
    if second > 12:
        return _make_date(year, first, second)
    return Numerals("/", (first, second, year))


def _read_time(text: str) -> Time | Numerals | None:
    if found := _TIME.fullmatch(text):
        hour, minute, second = int(found[1]), int(found[2] or 0), int(found[3] or 0)
        if not 1 <= hour <= 12 or minute > 59 or second > 59:
            return None
        return Time((hour % 12 + 12 * (found[4].lower() == "p")) * 3600 + minute * 60 + second)
    if found := _CLOCK.fullmatch(text):
        hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
        one_meaning = found[1].startswith("0") or 12 < hour < 24
        if one_meaning and minute < 60 and second < 60:
            return Time(hour * 3600 + minute * 60 + second)
        return Numerals(":", tuple(int(part) for part in found.groups() if part))
    return None


def _make_date(year: int, month: int, day: int) -> Date | None:
    return Date(year, month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _read_month(name: str) -> int:
    return next(number for number, month in enumerate(MONTHS, 1) if month.startswith(name.lower()[:3]))
