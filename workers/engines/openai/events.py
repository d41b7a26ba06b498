"""Reads events from the bytes of a stream, as upstreams really send them.

The form is that of Server-Sent Events (WHATWG HTML, section 9.2), read liberally: an event whose data are complete JSON
needs no blank line behind it, a line that is JSON by itself is an event, and so is a body that is JSON as a whole.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LONGEST_LINE = 32 << 20
"""Bytes. Beyond them no upstream is heard out."""
FIELDS = frozenset({b"data", b"event", b"id", b"retry"})
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TooLong(Exception):
    """A line, or a body that is no stream, that never ends."""


@dataclass(frozen=True, slots=True)
class Done:
    """The upstream says that nothing more comes."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its data as JSON, or as text where they are none."""

    data: Any
    name: str = ""


@dataclass(frozen=True, slots=True)
class NoStream:
    """What comes is no stream: a web page, or text."""


Heard = Event | Done | NoStream


class EventReader:
    """Fed bytes however they are cut, yields each event as soon as it is complete."""

    def __init__(self) -> None:
        self.start = b""
        """The first bytes, to be shown where they make no sense."""
        self.is_stream = False
        """Whether any line had the form of a stream's."""
        self._rest = b""
        self._data: list[bytes] = []
        self._name = ""
        self._loose: list[bytes] = []
        self._loose_bytes = 0

    def feed(self, received: bytes) -> Iterator[Heard]:
        """The events that these bytes complete. Raises TooLong."""
        if len(self.start) < 512:
            self.start += received[:512]
        lines = (self._rest + received).splitlines(keepends=True)
        # An open line waits for its end, and a CR for the LF that may belong to it.
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if len(self._rest) + self._loose_bytes > LONGEST_LINE:
            raise TooLong
        for line in lines:
            yield from self._line(line.rstrip(b"\r\n"))

    def close(self) -> Iterator[Heard]:
        """What the end of the stream completes. Data that were cut off are dropped, as the standard says."""
        yield from self._line(self._rest.rstrip(b"\r\n"))
        if self._loose:
            value = _json(_text(b"\n".join(self._loose)), otherwise=_NOT_JSON)
            yield NoStream() if value is _NOT_JSON else Event(value, self._name)

    def _line(self, line: bytes) -> Iterator[Heard]:
        line = line.removeprefix(BYTE_ORDER_MARK)
        if self._loose:
            self._keep(line)
        elif not line.strip():
            yield from self._blank()
        elif line.startswith(b":"):
            self.is_stream = True
        else:
            name, _, value = line.partition(b":")
            if name.strip().lower() in FIELDS:
                self.is_stream = True
                yield from self._field(name.strip().lower(), value.strip())
            else:
                yield from self._stray(line)

    def _field(self, name: bytes, value: bytes) -> Iterator[Heard]:
        if name == b"event":
            self._name = _text(value)
        elif name == b"data" and value == b"[DONE]":
            yield Done()
        elif name == b"data":
            self._data.append(value)
            if value.endswith((b"}", b"]")):  # all that ends a chunk; blank lines complete the rest
                yield from self._complete(at_any_rate=False)

    def _blank(self) -> Iterator[Heard]:
        if self._data:
            yield from self._complete(at_any_rate=True)
        self._name = ""

    def _complete(self, *, at_any_rate: bool) -> Iterator[Heard]:
        text = _text(b"\n".join(self._data))
        if not text.strip():  # a sign of life
            self._data.clear()
            return
        value = _json(text, otherwise=_NOT_JSON)
        if value is not _NOT_JSON or at_any_rate:
            self._data.clear()
            yield Event(text if value is _NOT_JSON else value, self._name)

    def _stray(self, line: bytes) -> Iterator[Heard]:
        """A line of no stream: an event where it is JSON by itself, else the beginning of something else."""
        if line.lstrip().startswith(b"<"):
            yield NoStream()
        value = _json(_text(line), otherwise=_NOT_JSON)
        if isinstance(value, dict):
            yield Event(value, self._name)
        else:
            self._keep(line)

    def _keep(self, line: bytes) -> None:
        self._loose.append(line)
        self._loose_bytes += len(line)


_NOT_JSON = object()


def _text(received: bytes) -> str:
    return received.decode(errors="replace")


def _json(text: str, *, otherwise: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return otherwise
