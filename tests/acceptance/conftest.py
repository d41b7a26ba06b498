"""The service as a person starts it: `anabranch up` in a process of its own, spoken to over HTTP alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

READY_SECONDS = 240


class Service:
    """A running `anabranch up`."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=150)

    def submit(self, policy: str, question: str, **rest: Any) -> str:
        body = {"question": question, "policy": {"name": policy, "params": rest.pop("params", {})}, **rest}
        response = self.http.post("/v1/jobs", json=body)
        assert response.status_code == 202, response.text
        return str(response.json()["id"])

    def ended(self, job: str) -> dict[str, Any]:
        for _ in range(3):
            row: dict[str, Any] = self.http.get(f"/v1/jobs/{job}", params={"wait": 100}).json()
            if row["finished_at"] is not None:
                return row
        raise AssertionError(f"job {job} has not ended: {row}")

    def events(self, job: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self.http.get(
                f"/v1/jobs/{job}/events",
                params={"after": after, "limit": 500},
                headers={"Accept": "application/json"},
            ).json()
            found += page["items"]
            after = page["next_after"]
        return found

    def stop(self) -> int:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@contextmanager
def up(state: Path, *options: str) -> Iterator[Service]:
    environment = os.environ | {
        "ANABRANCH_STATE": str(state),
        "ANABRANCH_RAY": "true",
        "PYTHONUNBUFFERED": "1",
    }
    log = state / f"up-{time.monotonic_ns()}.log"
    command = [sys.executable, "-c", "from anabranch.service.cli import main; main()", "up", "--port", "0"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, *options], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        try:
            service = Service(process, _url(process.stdout, log))
            with service.http:
                yield service
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(60)
            process.stdout.close()


def _url(told: IO[str], log: Path) -> str:
    for line in told:
        if "ready: " in line:
            return line.split("ready: ")[1].strip()
    raise AssertionError(f"the service ended: {log.read_text()[-3000:]}")


Up = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path) -> Up:
    """Start a service whose database outlives it within the test."""
    return lambda *options: up(tmp_path, *options)
