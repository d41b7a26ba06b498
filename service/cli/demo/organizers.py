"""Runs the demonstration's organizers, each a process of its own with a pool of its own, so that one can be killed."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess

from anabranch.service.settings import Settings
from anabranch.workers.engines.lifeline import end_with_parent

SPAWN = multiprocessing.get_context("spawn")
END_SECONDS = 10.0
"""How long one may take to give its jobs back."""


class Organizers:
    """Those that run. One that was killed has another put in its place."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._processes: list[SpawnProcess] = []

    def start(self) -> int:
        """Starts one more, and gives its process."""
        process = SPAWN.Process(target=_organize, args=(self._settings,), daemon=True)
        process.start()
        self._processes.append(process)
        return process.pid or 0

    def kill(self, owner: str) -> int:
        """Kills the one of this name, in the midst of whatever it does; gives its process."""
        pid = int(owner.rpartition("/")[2])
        killed = next(process for process in self._processes if process.pid == pid)
        os.kill(pid, signal.SIGKILL)
        killed.join()
        self._processes.remove(killed)
        return pid

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(END_SECONDS)
            if process.exitcode is None:
                process.kill()
                process.join()


@contextmanager
def organizers(settings: Settings, count: int) -> Iterator[Organizers]:
    """So many of them, while the block runs."""
    running = Organizers(settings)
    try:
        for _ in range(count):
            running.start()
        yield running
    finally:
        running.close()


def _organize(settings: Settings) -> None:
    """The life of one such process."""
    from anabranch.service.one_process import organize

    end_with_parent()
    asked = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the demonstration, which ends this one then
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    with organize(settings):
        asked.wait()
