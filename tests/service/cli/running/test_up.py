"""The whole service as a user starts it: a process, Ray, a pool, an organizer, REST; and how it goes away."""

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

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

Process = subprocess.Popen[str]
COMMAND = [sys.executable, "-c", "from anabranch.service.cli import main; main()"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANABRANCH_")}
    settings = {
        "ANABRANCH_STATE": str(tmp_path / "state"),
        "ANABRANCH_ENGINE": "scripted",
        "ANABRANCH_RAY": "true",
    }
    return kept | settings


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], Process]]:
    with ExitStack() as started:

        def start() -> Process:
            errors = started.enter_context((tmp_path / "err.txt").open("a"))
            command = [*COMMAND, "up", "--port", "0"]
            process = Process(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=errors)
            started.enter_context(process)  # closes its pipe, and waits
            started.callback(lambda: process.kill() if process.poll() is None else None)
            return process

        yield start


@pytest.fixture
def up(start: Callable[[], Process]) -> Process:
    return start()


def test_up_serves_until_it_is_asked_to_stop(up: Process, tmp_path: Path) -> None:
    """By SIGTERM; the one by Ctrl-C is in tests/acceptance."""
    assert up.stdout is not None
    ready = up.stdout.readline()
    assert ready.startswith("Anabranch is ready: http://127.0.0.1:"), (tmp_path / "err.txt").read_text()
    with Client(ready.split()[-1]) as client:
        assert client.ready()
        job = client.submit("What is six times seven?", policy="sequential").id
        kinds = [event.kind for event in client.follow(job)]
        assert (kinds[0], kinds[-1]) == ("JobSubmitted", "JobSucceeded")
        assert (answer := client.wait(job).answer) is not None
        assert answer.text
        assert client.audit(job).ok

    up.send_signal(signal.SIGTERM)
    assert up.wait(60) == 0
    assert up.stdout.read() == ""


def test_up_again_carries_on_after_the_head_of_ray_was_killed(
    start: Callable[[], Process], environment: dict[str, str], tmp_path: Path
) -> None:
    words = "so it goes " * 30
    (tmp_path / "script.json").write_text(json.dumps({"rules": [{"text": words}], "tokens_per_second": 10}))
    environment["ANABRANCH_SCRIPT"] = str(tmp_path / "script.json")
    up = start()
    assert up.stdout is not None
    with Client(up.stdout.readline().split()[-1]) as client:
        job = client.submit("How does it go?", policy="sequential").id
        next(event for event in client.follow(job) if event.kind == "SegmentStarted")
        os.kill(_child(up, "gcs_server"), signal.SIGKILL)
        assert up.wait(60) == 1
    assert "every job is kept: start anabranch up again" in (tmp_path / "err.txt").read_text()

    again = start()
    assert again.stdout is not None
    with Client(again.stdout.readline().split()[-1]) as client:
        # What was checkpointed stands; a script, unlike a model, then recites from its beginning.
        assert (answer := client.wait(job).answer) is not None
        assert answer.text.strip().endswith(words.strip())


def _child(process: Process, name: str) -> int:
    found = subprocess.check_output(["pgrep", "-P", str(process.pid), name], text=True)
    return int(found)


def test_run_without_a_service_brings_up_one_of_its_own(environment: dict[str, str], tmp_path: Path) -> None:
    command = [
        *COMMAND,
        "run",
        "What is six times seven?",
        "--policy",
        "self-consistency",
        "--set",
        "n=2",
        "--json",
    ]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert ran.returncode == 0, ran.stderr
    job = json.loads(ran.stdout)
    assert (job["status"], job["metrics"]["branches"]) == ("succeeded", 3)
    shown = subprocess.run(
        [*COMMAND, "show", job["id"]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert job["answer"]["text"] in shown.stdout, "the store is the default one: it is still there"
