"""A program of whichever build runs this file: REST and an organizer in one process, with an engine that recites.

Its name is its first argument. It prints its address, and hands over and ends when it is told to (SIGTERM).
"""

import signal
import sys
import threading
from typing import Any

from tests import scripted_service

from anabranch.service.settings import read_settings
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest

TOKENS_PER_SECOND = 30.0
TEXT = f"{'so we go on and on, step by step; ' * 4}the answer is 42"


def recite(request: DecodeRequest) -> Line:
    return Line(text=TEXT)


def main(name: str) -> None:
    parts_of_service = vars(scripted_service)
    organizer = parts_of_service["Organizer"]

    def named(*parts: Any, **options: Any) -> Any:
        return organizer(*parts, **{**options, "name": name})

    parts_of_service["Organizer"] = named  # two organizers on one database need two names
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    settings = read_settings(port=0, engine="scripted")
    with scripted_service.serve_scripted(
        settings, lambda: ScriptedEngine(recite, tokens_per_second=TOKENS_PER_SECOND)
    ) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        told.wait()


if __name__ == "__main__":
    main(sys.argv[1])
