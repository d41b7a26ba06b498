"""The built dashboard with lifelike jobs, to look at: the real service but for its engine, which recites.

PYTHONPATH=.dev:. python tests/browser/showroom.py [PORT]
"""

import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.browser.house import house
from tests.browser.journals import STORIES, journal
from tests.browser.simulated import Event

from anabranch.workers.engines.script import Line, reckon
from anabranch.workers.messages import DecodeRequest

ENDED = [name for name in STORIES if name != "waiting"]


def chatty(request: DecodeRequest) -> Line:
    """Answers of lifelike length, told apart by branch: tokens that one can watch as they come."""
    text = reckon(request).text
    words = 30 + len(request.key.branch) * 17 + sum(map(ord, text)) % 120
    return Line(text=" ".join((text.split() * 40)[:words]) + " " + text)


def showroom(now: float) -> list[list[Event]]:
    """One of each story, three forests, and a day of history."""
    stories = [
        journal(name, seed=i, start=now - 90 * (i + 1) - (8100 if name == "approval" else 300))
        for i, name in enumerate(ENDED)
    ]
    forests = [
        journal("forest", nodes=1000, seed=21, start=now - 4000),
        journal("star", nodes=1000, seed=22, start=now - 5000),
        journal("forest", nodes=5000, seed=23, start=now - 86_400),
    ]
    history = [journal(ENDED[i % 5], seed=40 + i, start=now - 3600 * (i + 2)) for i in range(20)]
    return stories + forests + history


def main(port: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        house(Path(folder), showroom(time.time()), script=chatty, tokens_per_second=60, port=port) as url,
    ):
        print(url, flush=True)  # noqa: T201 - a script
        threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8765)
