"""Reads what an upstream says when it will not decode, whatever form it says it in."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SHOWN = 400
"""Characters of a text that nobody knows the form of."""
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An upstream's error: its words for people, and those for programs."""

    message: str
    status: int = 0
    """As in HTTP, of the response or told inside the error; 0 where there is none."""
    codes: frozenset[str] = field(default_factory=frozenset)
    """The error's code, type and status as words, in small letters."""
    parameter: str = ""
    """The request's parameter that it is about, where that is told."""


def read_body(body: bytes, status: int) -> Refusal:
    """The refusal in the body of a response with this status."""
    text = body.decode(errors="replace")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = text
    refusal = read_refusal(told)
    return Refusal(
        message=f"HTTP {status}: {refusal.message or 'without a word'}",
        status=status,
        codes=refusal.codes,
        parameter=refusal.parameter,
    )


def read_refusal(told: Any) -> Refusal:
    """The refusal in an error of any form: OpenAI's, a gateway's, FastAPI's, plain text, a web page."""
    error = _innermost(told)
    if not isinstance(error, dict):
        return Refusal(message=start_of(error if isinstance(error, str) else _compact(error)))
    return Refusal(
        message=start_of(_message(error)),
        status=next(_statuses(error), 0),
        codes=frozenset(
            value.lower() for key in ("code", "type", "status") if isinstance(value := error.get(key), str)
        ),
        parameter=value if isinstance(value := error.get("param"), str) else "",
    )


def start_of(text: str, limit: int = SHOWN) -> str:
    """The text on one line, as much of it as can be shown."""
    line = _BLANKS.sub(" ", text[: 4 * limit]).strip()
    return line if len(line) <= limit else f"{line[:limit]}…"


def _innermost(told: Any) -> Any:
    """Most wrap it as `error`, some in a list, some both."""
    for _ in range(4):
        if isinstance(told, list) and len(told) == 1:
            told = told[0]
        elif isinstance(told, dict) and (inner := told.get("error") or told.get("errors")):
            told = _with_neighbours(inner, told)
        else:
            break
    return told


def _with_neighbours(inner: Any, around: Mapping[str, Any]) -> Any:
    """Some put only a word in `error` and the rest beside it."""
    beside = {key: around[key] for key in ("message", "detail", "code", "status", "param") if key in around}
    if isinstance(inner, str) and beside:
        reason = beside.pop("message", "") or beside.pop("detail", "")
        return beside | {"message": f"{inner}: {_words(reason)}" if reason else inner, "type": inner}
    return inner


def _message(error: Mapping[str, Any]) -> str:
    for key in ("message", "detail", "msg", "title", "error_description"):
        if found := error.get(key):
            raw = error["metadata"].get("raw") if isinstance(error.get("metadata"), dict) else None
            return _words(found) + (f" ({_words(raw)})" if raw else "")
    return _compact(error)


def _words(found: Any) -> str:
    """A text; or a list of faults as pydantic tells them: where, and what."""
    if isinstance(found, str):
        return found
    if isinstance(found, list) and all(isinstance(each, dict) and "msg" in each for each in found):
        return "; ".join(f"{'.'.join(map(str, each.get('loc', ())))}: {each['msg']}" for each in found)
    return _compact(found)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[: 4 * SHOWN]


def _statuses(error: Mapping[str, Any]) -> Iterator[int]:
    for key in ("status", "code", "status_code"):
        told = str(error.get(key))
        if told.isdecimal() and len(told) == 3 and 400 <= int(told) < 600:
            yield int(told)
