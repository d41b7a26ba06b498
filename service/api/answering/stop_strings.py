"""Releases the text of an answer as far as it is sure to stay: up to a stop string, and without blanks around it.

The same as `trimmed(cut(text))` of the whole, where `cut` ends the text before the first stop string in it; but piece
by piece, and each character once. What may begin a stop string, and blanks, wait for what follows. Stop strings are
found as by Knuth, Morris and Pratt (SIAM J. Comput. 6, 1977).
"""

from collections.abc import Sequence


class _Matcher:
    """How much of one stop string the text ends with."""

    def __init__(self, stop: str) -> None:
        self.stop = stop
        self.matched = 0
        self._shorter = [0] * len(stop)
        """For each number of matched letters, less one: how many are matched when the next one differs."""
        length = 0
        for place in range(1, len(stop)):
            while length and stop[place] != stop[length]:
                length = self._shorter[length - 1]
            length += stop[place] == stop[length]
            self._shorter[place] = length

    def feed(self, letter: str) -> bool:
        """Whether the stop string ends with this letter."""
        if self.matched == len(self.stop):
            self.matched = self._shorter[-1]
        while self.matched and self.stop[self.matched] != letter:
            self.matched = self._shorter[self.matched - 1]
        self.matched += self.stop[self.matched] == letter
        return self.matched == len(self.stop)


class SafeText:
    """What may be told of a text that is still growing."""

    def __init__(self, stops: Sequence[str] | None, *, begun: bool = False) -> None:
        """None: nothing may be told. `begun`: it goes on from a text, so blanks in front of it are its own."""
        self._matchers = [_Matcher(stop) for stop in stops or () if stop]
        self._mute = stops is None
        self._seen = 0
        self._cut: int | None = None
        """Where the first stop string begins."""
        self._closed = False
        """The text's end is known: nothing behind it counts."""
        self._held = ""
        """What is seen and may begin a stop string."""
        self._blanks: list[str] = []
        """What is sure to stay if anything but blanks follows."""
        self._keeps_front = begun

    def feed(self, text: str) -> str:
        """What is sure now, behind what was told before."""
        if self._mute or self._closed:
            return ""
        begins = self._seen - len(self._held)
        self._held += text
        doubtful = self._find_stops(text)
        end = doubtful if self._cut is None else min(self._cut, doubtful)
        self._closed = self._cut is not None and self._cut <= doubtful
        sure, self._held = self._held[: end - begins], self._held[end - begins :]
        return self._without_blanks(sure)

    def _find_stops(self, text: str) -> int:
        """Reads on; gives the place from which on a stop string may have begun that is not complete yet."""
        if not self._matchers:
            self._seen += len(text)
            return self._seen
        for letter in text:
            self._seen += 1
            for matcher in self._matchers:
                if matcher.feed(letter):
                    begun = self._seen - len(matcher.stop)
                    self._cut = begun if self._cut is None else min(self._cut, begun)
        return self._seen - max(self._unfinished(matcher) for matcher in self._matchers)

    @staticmethod
    def _unfinished(matcher: _Matcher) -> int:
        return 0 if matcher.matched == len(matcher.stop) else matcher.matched

    def _without_blanks(self, sure: str) -> str:
        kept = sure.rstrip()
        if not sure:
            return ""
        if not kept:
            self._blanks.append(sure)
            return ""
        told = "".join([*self._blanks, kept])
        self._blanks = [sure[len(kept) :]]
        if not self._keeps_front:
            self._keeps_front, told = True, told.lstrip()
        return told
