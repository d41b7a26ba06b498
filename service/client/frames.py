"""Reads Server-Sent Events from bytes, however they were cut, as the HTML standard (section 9.2.6) parses them."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream."""

    event: str
    data: str
    id: str
    """The last one that the stream told; empty where it told none yet."""


class FrameReader:
    """Is fed what arrives, and gives each event once its blank line is there."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._pieces: list[str] = []
        """Of the line that has not ended."""
        self._return_seen = False
        self._event = ""
        self._data: list[str] = []
        self._id = ""

    def feed(self, arrived: bytes) -> Iterator[Frame]:
        for line in self._lines(self._decoder.decode(arrived)):
            if line:
                self._read_field(line)
            elif self._data:
                yield Frame(self._event or "message", "\n".join(self._data), self._id)
                self._event, self._data = "", []
            else:
                self._event = ""

    def _lines(self, text: str) -> Iterator[str]:
        """Whole lines. They end with CR LF, LF or CR and nothing else; a CR LF may arrive in two parts."""
        if self._return_seen and text:
            text = text.removeprefix("\n")
            self._return_seen = False
        self._return_seen = self._return_seen or text.endswith("\r")
        *ended, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for piece in ended:
            self._pieces.append(piece)
            yield "".join(self._pieces)
            self._pieces.clear()
        self._pieces.append(rest)

    def _read_field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case _:
                pass  # a comment, or what this reader has no use for
