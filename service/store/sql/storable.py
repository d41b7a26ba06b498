"""Makes text and JSON such that both databases can hold them.

Neither takes NUL characters or lone surrogates, which models, clients and URLs do bring: each becomes U+FFFD, one for
one, so that offsets into a text stay true.
"""

import json
import math
from typing import Any

_NUL, _REPLACEMENT = "\x00", "\ufffd"

_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def storable_text(text: str) -> str:
    """The text itself wherever it can be stored as it is."""
    if _NUL in text:
        text = text.replace(_NUL, _REPLACEMENT)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(_REPLACEMENT if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    return text


def storable(value: Any) -> Any:
    """A JSON value with all its texts made storable; numbers that are not finite, which JSON lacks, become text."""
    match value:
        case str():
            return storable_text(value)
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {storable(key): storable(item) for key, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
        case _:
            return value


def storable_json(value: Any) -> str | None:
    """Compact JSON, keys in the order given, or None where the value must be made storable first."""
    try:
        written = _encoder.encode(value)
        written.encode()
    except ValueError:  # a number that is not finite, or a lone surrogate
        return None
    return None if "\\u0000" in written else written


def json_text(value: Any) -> str:
    """Compact JSON, with the value made storable where it has to be."""
    return storable_json(value) or _encoder.encode(storable(value))
