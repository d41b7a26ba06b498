"""Whatever is sent, the answer is one that the OpenAPI document tells of."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import positive_data_acceptance

from anabranch.dag.ids import JobId
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.api.server import serve_api
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.pool.protocol import PoolLoad

HELD = ["/v1/stream", "/v1/jobs/{job}/events", "/v1/chat/completions"]
"""Answers that last until a job ends; nobody runs jobs here."""

# Some rules stand between fields, where a schema cannot tell them.
UNTOLD = [positive_data_acceptance]


class Idle:
    def nudge(self, job: JobId) -> None:
        pass

    def load(self) -> PoolLoad:
        return PoolLoad(replicas=1, decoding=0, capacity=32)

    async def hear_load(self) -> PoolLoad | None:
        return self.load()


def described(folder: Path) -> Any:
    """The OpenAPI document; nothing is opened for it."""
    chosen = Settings(state=folder)
    store = Store(chosen.database)
    deps = Dependencies(settings=chosen, store=store, feed=Feed(store.journal), organizers=Idle())
    return schemathesis.openapi.from_dict(create_app(deps).openapi()).exclude(path=HELD)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    chosen = Settings(state=tmp_path_factory.mktemp("state"), max_request_bytes=100_000)
    asyncio.run(schema.upgrade(chosen.database))
    with serve_api(chosen, Idle) as address:
        yield address


@described(Path("nowhere")).parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_answer_is_documented(case: Any, url: str) -> None:
    if case.query:
        case.query.pop("wait", None)
    case.call_and_validate(base_url=url, excluded_checks=UNTOLD, timeout=20)
