"""The whole service as a user starts it: a process, Ray, a pool, an organizer, REST; and how it goes away."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from anabranch.service.client import Client

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

COMMAND = [sys.executable, "-c", "from anabranch.service.cli import main; main()"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANABRANCH_")}
    return kept | {"ANABRANCH_STATE": str(tmp_path / "state"), "ANABRANCH_ENGINE": "scripted"}


@pytest.fixture
def up(environment: dict[str, str], tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    with (tmp_path / "err.txt").open("w") as errors:
        process = subprocess.Popen(
            [*COMMAND, "up", "--port", "0"], env=environment, text=True, stdout=subprocess.PIPE, stderr=errors
        )
    yield process
    with process:  # closes its pipe, and waits
        if process.poll() is None:
            process.kill()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_up_serves_until_it_is_asked_to_stop(
    ending: signal.Signals, up: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    assert up.stdout is not None
    ready = up.stdout.readline()
    assert ready.startswith("Anabranch is ready: http://127.0.0.1:"), (tmp_path / "err.txt").read_text()
    with Client(ready.split()[-1]) as client:
        assert client.ready()
        job = client.submit({"question": "What is six times seven?", "policy": {"name": "sequential"}})
        kinds = [event["kind"] for event in client.events(job["id"])]
        assert (kinds[0], kinds[-1]) == ("JobSubmitted", "JobSucceeded")
        assert client.wait(job["id"])["answer"]["text"]
        assert client.audit(job["id"])["ok"]

    up.send_signal(ending)
    assert up.wait(60) == 0
    assert up.stdout.read() == ""


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
