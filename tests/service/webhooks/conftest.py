"""Webhooks over both databases, with a receiver and deliverers that are processes of their own."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.databases import BOTH, Databases

from anabranch.service.store.store import Store
from anabranch.service.webhooks.deliverer import Deliverer, Patience
from anabranch.service.webhooks.targets import read_networks

RECEIVER = """
import http.server, json, sys, time
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        with open(sys.argv[1], "a") as file:
            file.write(json.dumps({"path": self.path, "body": body, "headers": dict(self.headers)}) + "\\n")
        if self.path == "/holds":
            time.sleep(600)
        self.send_response({"/fails": 500, "/gone": 410, "/moved": 302}.get(self.path, 204))
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
"""

DELIVERER = """
import asyncio, json, sys
from anabranch.service.store.store import Store
from anabranch.service.webhooks.deliverer import Deliverer, Patience
from anabranch.service.webhooks.targets import read_networks
async def main():
    patience = json.loads(sys.argv[2])
    async with Store(sys.argv[1]) as store:
        await Deliverer(store.webhooks, read_networks(["127.0.0.0/8"]), Patience(**patience)).run()
asyncio.run(main())
"""


@dataclass(frozen=True)
class Receiver:
    """Writes down all that it is sent."""

    port: int
    file: Path

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def got(self, path: str | None = None) -> list[dict[str, Any]]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        found = [json.loads(line) for line in lines]
        return [one for one in found if path in (None, one["path"])]


Deliver = Callable[..., None]
Apart = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(params=BOTH)
def database_url(databases: Databases, request: pytest.FixtureRequest) -> str:
    return databases.new(str(request.param))


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with Store(database_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def receiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    file = tmp_path_factory.mktemp("received") / "calls"
    with subprocess.Popen([sys.executable, "-c", RECEIVER, str(file)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield Receiver(int(process.stdout.readline()), file)
        process.kill()


@pytest.fixture
def receiver(receiving: Receiver) -> Receiver:
    """One that has been sent nothing."""
    receiving.file.unlink(missing_ok=True)
    return receiving


@pytest.fixture
async def deliver(store: Store) -> AsyncIterator[Callable[..., None]]:
    """Starts a deliverer with so much patience."""
    running: list[asyncio.Task[None]] = []

    def start(**patience: Any) -> None:
        patient = Patience(**{"poll_seconds": 0.02} | patience)
        deliverer = Deliverer(store.webhooks, read_networks(["127.0.0.0/8"]), patient)
        running.append(asyncio.create_task(deliverer.run()))

    yield start
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
def deliver_apart(database_url: str) -> Iterator[Apart]:
    """Starts a deliverer that is a process of its own."""
    with ExitStack() as stack:

        def start(**patience: Any) -> "subprocess.Popen[bytes]":
            arguments = [
                sys.executable,
                "-c",
                DELIVERER,
                database_url,
                json.dumps({"poll_seconds": 0.05} | patience),
            ]
            process = stack.enter_context(subprocess.Popen(arguments))
            stack.callback(process.kill)
            return process

        yield start
