"""Watches text for stop strings, where the engine itself would find them in thoughts, too."""

from collections.abc import Sequence


class StopWatch:
    """Fed text piece by piece, finds the first stop string to be completed."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._kept = max(map(len, self._stops), default=1) - 1
        self._tail = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """The text up to the end of a stop string, and whether there was one."""
        window, before = self._tail + text, len(self._tail)
        ends = [found + len(stop) for stop in self._stops if (found := window.find(stop)) >= 0]
        if ends:
            return window[before : min(ends)], True
        self._tail = window[-self._kept :] if self._kept else ""
        return text, False
