"""Runs a program as a pod does, with its own network, processes, host name, /tmp/ray, /dev/shm and files in /etc.

Real are the namespaces, and what they hide; not so the user (root's), the limits, and the image: it is this machine.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.network import Network, namespace_of

ENTER = """
set -e
hostname "$1"
mkdir -p /tmp/ray "$2/ray" "$2/etc" "$2/home" "$2/files"
mount --bind "$2/ray" /tmp/ray
mount -t tmpfs shm /dev/shm
mount -t tmpfs etc "$2/etc"
cp -a /etc/. "$2/etc/"
cp -r "$2/files/." "$2/etc/"
rm -r "$2/files"
mount --bind "$2/etc" /etc
shift 2
exec "$@"
"""
"""Arguments: the pod's name, its folder, its command. Mounts are seen by the pod alone, and gone with it."""
GONE_SECONDS = 60.0
_STARTER = ThreadPoolExecutor(1, "pods")
"""Starts all pods: the system ends them with the thread that started them, and this one ends with the process."""
_NUMBERS = re.compile(r"^NSpid:(.*)$", re.MULTILINE)
"""Of a process, in each namespace that it is in, from the outermost."""


@dataclass(slots=True)
class Pod:
    """One program and all that it starts. It may be started again, as its controller would: with the same address and
    the same /tmp/ray, unless that is forgotten."""

    name: str
    network: Network
    folder: Path
    environment: Mapping[str, str]
    command: Sequence[str]
    files: Mapping[str, str] = field(default_factory=dict)
    """In /etc, by their paths there. Nobody outside the pod finds them, for some are of Secrets."""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return self.network.join(self.name)

    @property
    def log(self) -> Path:
        """What it wrote, of all its starts."""
        return self.folder / "log"

    def start(self) -> None:
        assert self._process is None or self._process.poll() is not None, f"{self.name} runs"
        self.network.join(self.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            file = self.folder / "files" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"  # where ray and anabranch are
        own = {"HOME": str(self.folder / "home"), **kept, **self.environment}
        # Whoever ends the chain ends the pod: this process the outermost, that one the first process inside.
        outermost = ("setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", namespace_of(self.name))
        inside = ("unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc")
        entered = ("bash", "-c", ENTER, "pod", self.name, str(self.folder))
        with self.log.open("ab") as log:
            begun = _STARTER.submit(
                subprocess.Popen[bytes],
                [*outermost, *inside, *entered, *self.command],
                env=own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._process = begun.result()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """All its processes at once, without a word; returns when they are gone."""
        if self._first() is not None:
            self._signal(signal.SIGKILL)
        elif self._process is not None:
            self._process.kill()  # it is not yet in its namespaces
        if self._process is not None:
            self._process.wait(GONE_SECONDS)

    def terminate(self) -> None:
        """What the deletion of a pod begins with: SIGTERM to its first process. Does not wait."""
        self._signal(signal.SIGTERM)

    def _signal(self, how: signal.Signals) -> None:
        """To its first process, with whose end all others end: the system waits for them."""
        if (first := self._first()) is not None:
            with suppress(ProcessLookupError):
                os.kill(first, how)

    def await_end(self, seconds: float = GONE_SECONDS) -> None:
        """Raises TimeoutError."""
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{self.name} has not ended after {seconds:.0f} s") from error

    def processes(self) -> dict[int, str]:
        """Its processes by their number outside, each with its command line."""
        found: dict[int, str] = {}
        rest = [first] if (first := self._first()) is not None else []
        while rest:
            pid = rest.pop()
            try:
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                rest += [
                    int(child)
                    for thread in Path(f"/proc/{pid}/task").iterdir()
                    for child in (thread / "children").read_text().split()
                ]
            except OSError:
                continue  # it ended just now
        return found

    def numbers_of(self, title: str) -> set[int]:
        """The processes whose command line begins so, by their numbers inside."""
        found = set()
        for pid, told in self.processes().items():
            if told.startswith(title):
                with suppress(OSError):
                    found.add(int(_NUMBERS.findall(Path(f"/proc/{pid}/status").read_text())[-1].split()[-1]))
        return found

    def _first(self) -> int | None:
        """Its process number 1, as seen from outside."""
        if not self.running:
            return None
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0]) if children else None
