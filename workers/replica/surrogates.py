"""Halves of characters that came in two chunks, put together again.

JSON writes a character beyond U+FFFF as two escapes (RFC 8259, section 7), and an upstream may send one in each chunk.
Neither half is a character, and no store keeps it: so a first half waits here for the second.
"""

import re

_LONE = re.compile(r"[\ud800-\udfff]")
REPLACEMENT = "\ufffd"


class SurrogateJoiner:
    """Fed text chunk by chunk; what it gives holds no surrogates. A half that stays alone becomes one U+FFFD."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """The text that is whole by now."""
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return join_halves(text)

    def close(self) -> str:
        """What is left when no more comes: a half whose other never came."""
        left, self._half = self._half, ""
        return REPLACEMENT if left else ""


def join_halves(text: str) -> str:
    """The text with halves that meet put together; one that stays alone becomes U+FFFD."""
    if not _LONE.search(text):
        return text
    return _LONE.sub(REPLACEMENT, text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass"))
