"""Serves what the clients of the matrix ask: `python -m tests.matrix.service FOLDER` prints its address, and serves
until its standard input is closed. It runs in the main environment; the clients run in theirs."""

import sys
from pathlib import Path

from tests.scripted_service import serve_scripted

from anabranch.dag.decoding.tools import Call
from anabranch.service.settings import Settings
from anabranch.workers.engines.script import Line, rendered
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest

PERSON = '{"name": "Ada", "born": 1815}'


def recite(request: DecodeRequest) -> Line:
    """Calls what is offered until the result is there; keeps to a form; else tells what it read."""
    tools, read = request.decoding.tools, rendered(request.context)
    if tools is not None and "18 degrees" not in read:
        names = [tool.name for tool in tools.offered]
        if "weather" in names:
            return Line(calls=(Call(name="weather", arguments='{"city": "Rome"}'),))
        return Line(calls=(Call(name=names[0], arguments=PERSON),))
    if request.decoding.structure is not None or "```json" in read:
        return Line(text=PERSON)
    if "18 degrees" in read:
        return Line(text="It is 18 degrees in Rome.")
    return Line(text=f"I read: {read.splitlines()[-1]}")


def main() -> None:
    settings = Settings(state=Path(sys.argv[1]), port=0, policy="sequential")
    with serve_scripted(settings, lambda: ScriptedEngine(recite)) as url:
        print(url, flush=True)  # noqa: T201 - whoever started it reads this
        sys.stdin.read()


if __name__ == "__main__":
    main()
