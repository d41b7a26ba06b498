"""Reads JSON from outside within the one bound on it: what any door lets in can be stored by both databases and shown
again.

Facts behind the numbers. Python's own encoder gives up at about 1,000 levels, pydantic's at 255, some readers earlier.
Neither database takes NUL or a lone surrogate. JSON has no number that is not finite; JavaScript reads all numbers as
doubles. A name that stands twice in an object means something else to each reader.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

MAX_DEPTH = 64
"""Objects and lists inside one another, the outermost counted."""
MAX_NAME = 1_000
"""Characters of a name in an object."""
MAX_VALUES = 20_000
"""Values in one request, nested ones counted."""
MAX_DIGITS = 308
"""Of an integer: as many as a double's range has."""

Path = tuple[str | int, ...]

TOO_DEEP = f"it is nested deeper than {MAX_DEPTH} levels; send a flatter value, or the deep part as text"
CUT = "(nested too deeply to be shown here)"
_NO_TEXT = "NUL characters and lone surrogates are not text"
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(:?)|[\[\]{},]', re.DOTALL)


class BadJson(ValueError):
    """A value that no database and no reader can be trusted with. `path` tells where it stands."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path

    @property
    def where(self) -> str:
        """The path with dots; long names cut."""
        return ".".join(str(step)[:40] for step in self.path)[:400]


class TooDeep(BadJson):
    """It is nested deeper than allowed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, TOO_DEEP)


class _Repeated(dict[str, Any]):
    """An object in which a name stands twice."""

    name = ""


def read_json(written: str | bytes, *, depth: int = MAX_DEPTH, most_values: int | None = MAX_VALUES) -> Any:
    """Reads one JSON document. Raises BadJson, and json.JSONDecodeError for what is no JSON."""
    text = written if isinstance(written, str) else _decode(written)
    try:
        value = json.loads(text, parse_int=_read_int, object_pairs_hook=_read_object)
    except RecursionError as error:
        raise TooDeep(_find_deeper(text, depth)) from error
    check_json(value, depth=depth, most_values=most_values)
    return value


def check_json(value: Any, *, depth: int = MAX_DEPTH, most_values: int | None = MAX_VALUES) -> None:
    """Raises BadJson for the first fault of a value that is made of what JSON has. Takes no recursion."""
    waiting: list[tuple[Any, Path]] = [(value, ())]
    found = 1
    while waiting:
        item, path = waiting.pop()
        if not isinstance(item, dict | list):
            _check_scalar(item, path)
            continue
        if len(path) >= depth:
            raise TooDeep(path)
        found += len(item)
        if most_values is not None and found > most_values:
            raise BadJson(path, f"a request may have {most_values:,} values; send less at once")
        if isinstance(item, dict):
            _check_names(item, path)
            waiting.extend((inner, (*path, name)) for name, inner in reversed(item.items()))
        else:
            waiting.extend((item[at], (*path, at)) for at in range(len(item) - 1, -1, -1))


def check_text(text: str) -> str:
    """The text itself. Raises TooDeep where somebody will read it as JSON that is nested too deeply."""
    try:
        read_json(text, most_values=None)
    except TooDeep:
        raise
    except ValueError:
        return text  # not JSON, or JSON with other faults, of which its reader tells
    return text


def cut_deep(value: Any, depth: int = MAX_DEPTH) -> Any:
    """A value that can be shown: what is nested deeper than any door lets in is replaced by words."""
    match value:
        case dict() | list() if depth == 0:
            return CUT
        case dict():
            return {name: cut_deep(item, depth - 1) for name, item in value.items()}
        case list():
            return [cut_deep(item, depth - 1) for item in value]
        case _:
            return value


def _decode(written: bytes) -> str:
    try:
        return written.decode(json.detect_encoding(written), "surrogatepass")
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("it is not text in UTF-8", "", error.start) from error


def _read_int(digits: str) -> int | float:
    """An integer; infinity where it is too long, so that its place is told."""
    return int(digits) if len(digits.lstrip("-")) <= MAX_DIGITS else math.inf


def _read_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated = _Repeated(found)
    ((repeated.name, _),) = Counter(name for name, _ in pairs).most_common(1)
    return repeated


def _check_scalar(value: Any, path: Path) -> None:
    match value:
        case str() if not _is_text(value):
            raise BadJson(path, _NO_TEXT)
        case float() if not math.isfinite(value):
            raise BadJson(path, "the number is not finite, or too large for a double")


def _check_names(found: dict[str, Any], path: Path) -> None:
    if isinstance(found, _Repeated):
        raise BadJson((*path, found.name), "this name stands twice in its object")
    for name in found:
        if len(name) > MAX_NAME:
            raise BadJson((*path, name), f"a name may have {MAX_NAME} characters; this one has {len(name)}")
        if not _is_text(name):
            raise BadJson(path, f"in a name, {_NO_TEXT}")


def _is_text(value: str) -> bool:
    if "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _find_deeper(text: str, depth: int) -> Path:
    """Where the text, which is well formed that far, is nested deeper."""
    path: list[str | int] = []
    for token in _TOKEN.finditer(text):
        match token[0][0]:
            case "[":
                path.append(0)
            case "{":
                path.append("")
            case "]" | "}":
                path.pop()
            case "," if isinstance(path[-1], int):
                path[-1] += 1
            case '"' if token[2]:
                path[-1] = token[1]
        if len(path) > depth:
            return tuple(path[:-1])
    return ()
