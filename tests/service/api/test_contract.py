"""Whatever is sent, the answer is one that the OpenAPI document tells of, and never a fault of the service."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance
from tests.databases import BOTH, Databases
from tests.service.api.conftest import Organizer

from anabranch.dag.ids import BranchId, JobId
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.api.server import serve_api
from anabranch.service.link.server import LinkServer
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.workers.pool.protocol import PoolLoad

STREAMS = ["/v1/stream"]
"""Answers without an end: only their beginning is looked at."""

# Some rules stand between fields, where a schema cannot tell them.
UNTOLD = [positive_data_acceptance]
EXAMPLES = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


class Idle:
    """Both ends of a link on which nothing happens; its pool has one replica."""

    def nudge(self, job: JobId | None = None) -> None:
        pass

    def load(self) -> PoolLoad:
        return PoolLoad(replicas=1, decoding=0, capacity=32)

    async def hear_load(self) -> PoolLoad | None:
        return self.load()

    def followed(self, job: JobId) -> None:
        pass

    def open_branches(self, job: JobId) -> Sequence[BranchId]:
        return ()

    def open_text(self, job: JobId, branch: BranchId) -> None:
        return None


def described(folder: Path) -> Any:
    """The OpenAPI document; nothing is opened for it."""
    chosen = Settings(state=folder)
    store = Store(chosen.database)
    deps = Dependencies(settings=chosen, store=store, feed=Feed(store.journal), organizers=Idle())
    return schemathesis.openapi.from_dict(create_app(deps).openapi())


@contextmanager
def answering(database: str) -> Iterator[None]:
    """Answers every job that comes in, from a thread of its own."""
    stopped = threading.Event()

    async def answer_all() -> None:
        async with Store(database) as store:
            organizer = Organizer(store)
            link = LinkServer(Idle())
            port = await link.open("127.0.0.1", 0)
            await store.queue.heartbeat("organizer-1", 600, f"ws://127.0.0.1:{port}/link")
            while not stopped.is_set():
                for row in (await store.jobs.list_page(status="queued")).items:
                    await organizer.answer(row.id)
                await asyncio.sleep(0.05)
            await link.close()

    thread = threading.Thread(target=lambda: asyncio.run(answer_all()), name="organizer")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@pytest.fixture(scope="module", params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("state")
    databases = Databases(folder)
    chosen = Settings(state=folder, database=databases.new(request.param), max_request_bytes=100_000)
    with answering(chosen.database), serve_api(chosen) as address:
        yield address
    databases.close()


@described(Path("nowhere")).exclude(path=STREAMS).parametrize()
@EXAMPLES
def test_every_answer_is_documented(case: Any, url: str) -> None:
    if case.query:
        case.query.pop("wait", None)
    case.call_and_validate(base_url=url, excluded_checks=UNTOLD, timeout=20)


@described(Path("nowhere")).include(path=STREAMS).parametrize()
@EXAMPLES
def test_no_stream_begins_with_a_fault(case: Any, url: str) -> None:
    sent = case.as_transport_kwargs(base_url=url)
    asked = {name: sent[name] for name in ("method", "url", "headers", "params") if sent.get(name)}
    with httpx.stream(**asked, timeout=20) as response:
        assert response.status_code < 500
