"""Runs untrusted Python in a separate, locked-down process, behind the locks of `cage.py`."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from anabranch.workers.checks import cage
from anabranch.workers.errors import WorkerError


class SandboxRefused(WorkerError):
    """This machine cannot lock a program up, so none is run on it. The message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may use before it is stopped."""

    cpu_seconds: int = 5
    wall_seconds: float = 20.0
    memory_mb: int = 512
    output_bytes: int = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a program ended."""

    output: str
    """Standard output and error, in the order in which they were written."""
    ending: str = ""
    """Empty after a normal end; otherwise what stopped it, in words."""


ENDINGS = {
    signal.SIGXCPU: "the processor time was used up",
    signal.SIGKILL: "it was killed: the processor time was used up, or the machine's memory",
    signal.SIGSYS: "it made a system call of another machine",
}


def run(program: str, limits: Limits | None = None) -> Ran:
    """Run a program without arguments or input; it sees the standard library, and nothing else of this machine.

    Blocks until it ends, at most `wall_seconds`. Raises SandboxRefused where it could not be locked up.
    """
    limits = limits or Limits()
    job = {
        "program": program,
        "memory": limits.memory_mb << 20,
        "seconds": limits.cpu_seconds,
        "output": limits.output_bytes,
    }
    with tempfile.TemporaryDirectory(prefix="anabranch-cage-") as folder, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own file
            [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(Path(cage.__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={},
            start_new_session=True,
        )
        in_time = _wait(process, json.dumps(job).encode(), limits.wall_seconds)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if text.startswith(cage.REFUSED):
        raise SandboxRefused(f"no code is run on this machine: {text.removeprefix(cage.REFUSED).strip()}")
    return Ran(output=text, ending=_ending(process.returncode) if in_time else "the time was over")


def _wait(process: subprocess.Popen[bytes], job: bytes, seconds: float) -> bool:
    """Hand over the job and wait. False when the time was over. Nothing of it runs on, whatever happens."""
    try:
        process.communicate(job, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return True


def _ending(status: int) -> str:
    if status >= 0:
        return f"it ended with status {status}" if status else ""
    return ENDINGS.get(signal.Signals(-status), f"it crashed: {signal.Signals(-status).name}")
