"""Reads lists that a model wrote, line by line: one odd line costs itself and nothing else. Linear in the text."""

import re

TRUNCATED = "truncated"
"""Flag of a value whose text was cut by a limit: what it ends with is not all there."""

_NUMBERED = re.compile(r"\s*\d{1,4}[.)]\s*(.*)")


def numbered(text: str) -> tuple[list[str], list[str]]:
    """What stands behind the numbers of a list, and the lines that have none."""
    listed: list[str] = []
    odd: list[str] = []
    for line in written_lines(text):
        item = _NUMBERED.match(line)
        if item and item[1]:
            listed.append(item[1])
        else:
            odd.append(line)
    return listed, odd


def written_lines(text: str) -> list[str]:
    """The lines in which something is written."""
    return [line for each in text.splitlines() if (line := each.strip())]
