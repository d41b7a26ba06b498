"""Cuts a text into pieces by its letters alone, however it arrives: white space, then a word, each of at most eight
letters.

So everybody who reads the same text finds the same pieces. A piece is complete when no later letter can change it: at
the end of its eighth letter, or at the white space behind its word. Looking for one is bounded, so all is linear.
"""

import re

_PIECE = re.compile(r"\s{0,8}(?P<word>\S{1,8})|\s{1,8}")
_LONGEST_WORD = 8


class Pieces:
    """A text that grows."""

    def __init__(self) -> None:
        self._held = ""
        """What belongs to no complete piece yet: at most sixteen letters."""

    def feed(self, text: str) -> list[str]:
        """The pieces that this text completes."""
        return self._cut(self._held + text, over=False)

    def rest(self) -> list[str]:
        """The last pieces: the text is over."""
        return self._cut(self._held, over=True)

    def _cut(self, text: str, *, over: bool) -> list[str]:
        pieces: list[str] = []
        place = 0
        while found := _PIECE.match(text, place):
            long_enough = len(found["word"] or "") == _LONGEST_WORD
            if found.end() == len(text) and not (over or long_enough):
                break
            pieces.append(found[0])
            place = found.end()
        self._held = text[place:]
        return pieces
