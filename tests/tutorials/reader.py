"""Reads a tutorial as a person does: types its commands, writes its files, runs its Python, from top to bottom."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NOT_HERE = ("pip install ", "ollama ", "kubectl apply ")
"""Commands that would change more than this test may."""
SERVE = re.compile(r"anabranch (up|api)\b")
READY = re.compile(r"is ready: (http://\S+)$")


class Reader:
    """Has a shell whose variables last, and services that run until it starts the next `up`, or leaves."""

    def __init__(self, folder: Path, environment: Mapping[str, str], meant: Mapping[str, str]) -> None:
        """`meant` says what stands here for addresses of the page."""
        self.said: list[str] = []
        """What each command wrote that wrote anything."""
        self._folder = folder
        self._environment = dict(environment)
        self._meant = meant
        self._names: dict[str, Any] = {"__name__": "tutorial"}
        self._services = ExitStack()

    def read(self, page: Path) -> None:
        text = page.read_text(encoding="utf-8")
        for was, here in self._meant.items():
            text = text.replace(was, here)
        for kind, name, block in BLOCK.findall(text):
            if name:
                (self._folder / name).write_text(block, encoding="utf-8")
            elif kind == "sh":
                for command in lines_of(block):
                    self._type(command)
            elif kind == "python":
                exec(compile(block, page.name, "exec"), self._names)

    def close(self) -> None:
        """As Ctrl-C does, in each terminal."""
        self._services.close()

    def _type(self, command: str) -> None:
        if command.startswith(NOT_HERE):
            return
        if SERVE.match(command):
            self._serve(command)
            return
        after = self._folder / "environment"
        script = f"set -a  # a shell keeps all variables\n{command}\nenv -0 >{shlex.quote(str(after))}"
        ran = subprocess.run(
            ["bash", "-euc", script],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
        if ran.stdout:
            self.said.append(ran.stdout)
        pairs = (pair.partition("=") for pair in after.read_text().split("\0") if pair)
        self._environment = {name: value for name, _, value in pairs}

    def _serve(self, command: str) -> None:
        if command.startswith("anabranch up"):
            self._services.close()
        file = self._folder / f"errors-{len(self.said)}.txt"
        errors = self._services.enter_context(file.open("w"))
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            env=self._environment,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        self._services.callback(end, process, file)
        assert process.stdout is not None
        ready = process.stdout.readline().strip()
        assert READY.search(ready), f"{command}: {file.read_text()}"


def end(process: "subprocess.Popen[str]", errors: Path) -> None:
    process.send_signal(signal.SIGINT)
    try:
        code = process.wait(60)
        assert code == 0, f"it ended with {code}: {errors.read_text()}"
    finally:
        process.kill()
        assert process.stdout is not None
        process.stdout.close()


def lines_of(block: str) -> Iterator[str]:
    yield from (line for line in block.replace("\\\n", " ").splitlines() if line.strip())


def plain_environment() -> dict[str, str]:
    """Nobody's settings of Anabranch or of OpenAI's client."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("ANABRANCH_", "OPENAI_"))
    }
