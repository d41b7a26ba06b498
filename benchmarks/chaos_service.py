"""A real `anabranch up`, and all its processes, as somebody sees them who kills them."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MARK = "CHAOS_WORLD"
"""In the environment of every process of the service: only those are ever killed."""
NAMES = {
    "organizer": "ray::ServeReplica:anabranch:Organizer",
    "replica": "ray::ServeReplica:anabranch:pool-",
    "head": "gcs_server",
}
COMMAND = (sys.executable, "-c", "from anabranch.service.cli import main; main()", "up", "--json")
STARTS = 4
GONE_SECONDS = 60.0


@dataclass(slots=True)
class Service:
    settings: dict[str, str]
    """ANABRANCH_* of every start."""
    world: str
    log: Path
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Returns when it is ready. On a busy machine Ray may not come up: it is tried again, as a supervisor would."""
        for _ in range(STARTS):
            if self._started():
                return
            self.kill_all()
        raise SystemExit(f"the service did not start: {self.log.read_text()[-2000:]}")

    def _started(self) -> bool:
        environment = {**os.environ, **self.settings, MARK: self.world}
        with self.log.open("a") as errors:
            self._process = subprocess.Popen(
                COMMAND, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self._process.stdout is not None
        return any('"ready"' in line for line in self._process.stdout)

    def pids(self, role: str) -> list[int]:
        return [pid for pid, name in self._processes() if NAMES[role] in name]

    @property
    def pid(self) -> int:
        """Of `up` itself."""
        assert self._process is not None
        return self._process.pid

    def kill_ingress(self) -> None:
        """The process of `up`, which serves REST. Ray notices that it is gone, and ends."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def await_gone(self) -> None:
        """After its head was killed, the service ends by itself."""
        assert self._process is not None
        self._process.wait(GONE_SECONDS)

    def kill_all(self) -> None:
        """The machine is gone: the service, its Ray, all at once."""
        for pid, _ in self._processes():
            kill(pid)
        if self._process is not None:
            self._process.wait()

    def _processes(self) -> list[tuple[int, str]]:
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != os.getpid():
                try:
                    ours = f"{MARK}={self.world}".encode() in (folder / "environ").read_bytes().split(b"\0")
                    name = (folder / "cmdline").read_bytes().split(b"\0")[0].decode()
                except OSError:
                    continue  # it has ended, or is not ours to look at
                if ours:
                    found.append((int(folder.name), name))
        return found


def kill(pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return


PLAN = {
    "subtasks": [
        {"id": "a", "question": "Find A.", "after": []},
        {"id": "b", "question": "Find B.", "after": ["a"]},
    ],
    "synthesis": "Add them.",
}
SCRIPT = {
    "rules": [
        {"branch": "0.1", "matches": "subtasks", "text": json.dumps(PLAN)},
        {"text": "so it goes " * 25 + "\\boxed{42}"},
    ],
    "tokens_per_second": 20.0,
}
"""What the scripted replicas say: a job takes from 4 to about 15 seconds."""
