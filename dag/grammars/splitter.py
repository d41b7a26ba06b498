"""Cuts decoded text into stretches: what may be a mark, `<…>`, and what lies between."""

import re
from collections.abc import Iterator

MARK_LIMIT = 64
"""Characters of the longest mark, brackets included: no more is ever held back."""

_EDGE = re.compile(r"[<>\n]")


class Stretches:
    """The same stretches come out wherever the text is split into chunks, but for plain text, which may come in parts.

    A stretch that may be a mark begins with `<`, ends with `>`, has neither between, and lies on one line.
    """

    def __init__(self) -> None:
        self.held = ""
        """A `<` and what has followed it: perhaps a mark."""

    def split(self, text: str) -> Iterator[str]:
        """The stretches that this text completes."""
        at = 0
        while at < len(text):
            stretch, at = self._grow(text, at) if self.held else self._skip(text, at)
            if stretch:
                yield stretch

    def _skip(self, text: str, at: int) -> tuple[str, int]:
        """To the next `<`."""
        begin = text.find("<", at)
        if begin < 0:
            return text[at:], len(text)
        self.held = "<"
        return text[at:begin], begin + 1

    def _grow(self, text: str, at: int) -> tuple[str, int]:
        """To where it shows whether what is held is a mark."""
        most = at + MARK_LIMIT - len(self.held)
        edge = _EDGE.search(text, at, most)
        if edge is None and most > len(text):
            self.held += text[at:]
            return "", len(text)
        held, end = self.held, edge.end() if edge else most
        if edge and edge.group() == "<":
            self.held = "<"
            return held + text[at : end - 1], end
        self.held = ""
        return held + text[at:end], end
