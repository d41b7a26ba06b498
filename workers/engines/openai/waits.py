"""Reads how long an upstream asks to be left alone.

`Retry-After` is RFC 9110, section 10.2.3; the other headers are OpenAI's (reset as a duration, such as `6m0s`),
OpenRouter's (Unix milliseconds), and the drafts' (seconds).
"""

import math
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_IN_WORDS = re.compile(r"(?:try again|retry) (?:in|after) (\d{1,6}(?:\.\d{1,6})?) ?(ms|m|s)", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_UNIX_SECONDS, _UNIX_MILLISECONDS = 1e9, 1e12
"""A number beyond it is a point in time."""


def told_wait(headers: Mapping[str, str], message: str, now: float) -> float:
    """Seconds until the upstream wants to be asked again; 0.0 where it does not say. `now`: Unix seconds."""
    return max(0.0, next(_told(headers, message, now), 0.0))


def _told(headers: Mapping[str, str], message: str, now: float) -> Iterator[float]:
    if milliseconds := _number(headers.get("retry-after-ms", "")):
        yield milliseconds / 1000
    if after := headers.get("retry-after"):
        seconds = _number(after)
        told = _seconds_until(after, headers.get("date"), now) if seconds is None else seconds
        if told is not None:
            yield told
    resets = list(_resets(headers, now))
    if resets:
        yield max(resets)
    if found := _IN_WORDS.search(message):
        yield float(found[1]) * _UNITS[found[2].lower()]


def _resets(headers: Mapping[str, str], now: float) -> Iterator[float]:
    """When each limit that is used up is lifted."""
    for name, value in headers.items():
        if "ratelimit-reset" in name and headers.get(name.replace("reset", "remaining"), "0") in ("0", "0.0"):
            told = _number(value)
            if told is None:
                yield _duration(value)
            elif told > _UNIX_MILLISECONDS:
                yield told / 1000 - now
            else:
                yield told - now if told > _UNIX_SECONDS else told


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _duration(text: str) -> float:
    """Such as `1h2m3.5s` or `20ms`; 0.0 for what is none."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return 0.0
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _seconds_until(date: str, said: str | None, now: float) -> float | None:
    """From the upstream's own clock where it tells that, else from ours."""
    until = _unix_seconds(date)
    return None if until is None else until - ((said and _unix_seconds(said)) or now)


def _unix_seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
