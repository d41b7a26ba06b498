"""The whole service in one process, without Ray: as a program of its own, and as a user starts it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from anabranch.client import Client

Process = subprocess.Popen[str]
COMMAND = [sys.executable, "-c", "from anabranch.service.cli import main; main()"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANABRANCH_")}
    return kept | {"ANABRANCH_STATE": str(tmp_path / "state")}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., tuple[Process, Client]]]:
    """Starts `anabranch up` with these options; returns it when it says that it is ready."""
    with ExitStack() as started:

        def start(*options: str) -> tuple[Process, Client]:
            errors = started.enter_context((tmp_path / "err.txt").open("a"))
            command = [*COMMAND, "up", "--port", "0", *options]
            process = Process(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=errors)
            started.enter_context(process)  # closes its pipe, and waits
            started.callback(lambda: process.kill() if process.poll() is None else None)
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready.startswith("Anabranch is ready: http://127.0.0.1:"), told(tmp_path)
            return process, started.enter_context(Client(ready.split()[-1]))

        yield start


def told(tmp_path: Path) -> str:
    return (tmp_path / "err.txt").read_text()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_with_the_real_checks_and_ends_cleanly(
    ending: signal.Signals, start: Callable[..., tuple[Process, Client]], tmp_path: Path
) -> None:
    process, client = start("--engine", "scripted")
    job = client.submit("What is six times seven?", policy="self-consistency").id
    kinds = [event.kind for event in client.follow(job)]
    assert (kinds[0], kinds[-1]) == ("JobSubmitted", "JobSucceeded")
    assert "BranchesVoted" in kinds
    assert client.audit(job).ok
    process.send_signal(ending)
    assert process.wait(60) == 0
    assert told(tmp_path) == ""


def test_a_job_goes_on_after_everything_was_killed(
    environment: dict[str, str], start: Callable[..., tuple[Process, Client]], tmp_path: Path
) -> None:
    words = "so it goes " * 20
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"rules": [{"text": words}], "tokens_per_second": 20}))
    environment["ANABRANCH_SCRIPT"] = str(script)
    process, client = start("--engine", "scripted")
    job = client.submit("How does it go?", policy="sequential").id
    next(event for event in client.follow(job) if event.kind == "SegmentStarted")
    process.kill()
    process.wait(30)

    _, again = start("--engine", "scripted")
    assert (answer := again.wait(job).answer) is not None
    assert answer.text.strip().endswith(words.strip())
