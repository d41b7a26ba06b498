"""Decides what hostile text can make endless (algebra, patterns, schemas) in a process that is killed at its limit.

One such process serves the calls of this one, one after the other; after a kill the next call starts another. Python
cannot be stopped from within while it multiplies huge numbers or searches with a pattern: so no alarm is used.
"""

import atexit
import json
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anabranch.workers.checks import bounded_program
from anabranch.workers.errors import WorkerError

START_SECONDS = 60.0
"""For the imports of a fresh process, on a busy machine."""
PATIENCE = 5
"""Seconds of waiting per second of processor time that a check may take: other processes want the processor, too."""


class Stopped(WorkerError):
    """A check was killed: it took more processor time or memory than it may."""


def decide(check: str, seconds: int, **arguments: Any) -> tuple[bool, str]:
    """Whether a check of `bounded_program.py` passes, and a word on why not. `seconds` of processor time.

    Raises Stopped when it needs more than it may, ValueError when it cannot be used (a pattern that is none).
    """
    request = json.dumps({"check": check, "seconds": seconds, **arguments}).encode() + b"\n"
    reply = _HELPER.ask(request, seconds)
    if "unusable" in reply:
        raise ValueError(reply["unusable"])
    return reply["passes"], reply["why"]


class _Helper:
    """The one process that serves this one's calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: bytes, seconds: int) -> Mapping[str, Any]:
        """What the process replies. Whatever goes wrong ends the process: none is left in the midst of a check."""
        with self._lock:
            try:
                process = self._sent(request)
                _line(process, START_SECONDS)
                return _line(process, PATIENCE * seconds)
            except BaseException:
                self.end()
                raise

    def _sent(self, request: bytes) -> "subprocess.Popen[bytes]":
        """The process that took the request: a fresh one where the last has ended, idle or killed."""
        if self._process is None or not _send(self._process, request):
            self.end()
            self._process = _start()
            if not _send(self._process, request):
                raise Stopped("its process ended before it began")
        return self._process

    def end(self) -> None:
        """End the process; the next check starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


_HELPER = _Helper()
atexit.register(_HELPER.end)


def _start() -> "subprocess.Popen[bytes]":
    program = str(Path(bounded_program.__file__).resolve())
    return subprocess.Popen(  # noqa: S603 - our own interpreter, our own file
        [sys.executable, "-I", "-X", "utf8", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={},
    )


def _send(process: "subprocess.Popen[bytes]", request: bytes) -> bool:
    assert process.stdin is not None  # see `_start`
    rest = memoryview(request)
    try:
        while rest:
            rest = rest[process.stdin.write(rest) :]
    except BrokenPipeError:
        return False
    return True


def _line(process: "subprocess.Popen[bytes]", seconds: float) -> Mapping[str, Any]:
    """The next line of a process; raises Stopped when there is none in this time."""
    assert process.stdout is not None  # see `_start`
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    line = process.stdout.readline() if ready else b""  # short, so it comes whole or not at all
    if not line.endswith(b"\n"):
        raise Stopped("it took more time or memory than a check may")
    reply: Mapping[str, Any] = json.loads(line)
    return reply
