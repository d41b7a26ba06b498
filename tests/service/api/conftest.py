"""The REST surface over a real store in a file of its own, with a pool of one idle replica."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from anabranch.dag import events as e
from anabranch.dag.decoding import Decoded, Finish, Usage
from anabranch.dag.events import Event
from anabranch.dag.ids import TRUNK, BranchId, JobId
from anabranch.dag.text import Base, Reading
from anabranch.service.api.app import create_app
from anabranch.service.api.live.dependencies import Dependencies
from anabranch.service.api.live.feed import Feed
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.workers.pool.protocol import PoolLoad


class Organizers:
    """Remembers who was nudged; its pool has one replica."""

    def __init__(self) -> None:
        self.nudged: list[JobId] = []
        self.pool: PoolLoad | None = PoolLoad(replicas=1, decoding=0, capacity=32)

    def nudge(self, job: JobId) -> None:
        self.nudged.append(job)

    def load(self) -> PoolLoad | None:
        return self.pool

    def count(self) -> int:
        return 1

    async def hear_load(self) -> PoolLoad | None:
        return self.load()


class Organizer:
    """Writes journals as an organizer does: claimed, and under its epoch."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.epochs: dict[JobId, int] = {}
        self._claiming = asyncio.Lock()

    async def append(self, job: str, *events: Event, metrics: Mapping[str, Any] | None = None) -> None:
        id_ = JobId(job)
        async with self._claiming:
            if id_ not in self.epochs:
                await self._claim()
        await self.store.journal.append(id_, self.epochs[id_], events, metrics)

    async def _claim(self) -> None:
        for claim in await self.store.queue.claim("organizer-1", 60, 100):
            self.epochs[claim.job] = claim.epoch
            await self.store.journal.append(
                claim.job, claim.epoch, [e.JobClaimed(owner="organizer-1", attempt=1)]
            )

    async def answer(self, job: str, text: str = "42") -> None:
        """Two samples, a join, an answer."""
        await self.append(job, *fork("0.1", "0.2"))
        await self.append(job, *decode("0.1", text), *decode("0.2", text))
        await self.append(job, *join("0.1", "0.2"), *answer(text, "0.1", "0.2"))


def fork(*children: str) -> list[Event]:
    reading = Reading(base=Base.PROBLEM)
    return [e.BranchForked(child=BranchId(child), role="sample", reading=reading) for child in children]


def decode(branch: str, text: str = "42", tokens: int = 10) -> list[Event]:
    decoded = Decoded(
        text=text,
        finish=Finish.EOS,
        usage=Usage(prompt_tokens=20, completion_tokens=tokens),
        engine="scripted",
    )
    id_ = BranchId(branch)
    return [
        e.SegmentStarted(branch=id_, segment=1, max_tokens=64),
        e.SegmentFinished(branch=id_, segment=1, attempt=1, decoded=decoded),
        e.BranchReturned(branch=id_, value=text),
    ]


def join(*branches: str) -> list[Event]:
    joined = tuple(BranchId(branch) for branch in branches)
    return [e.JoinRequested(join=1, targets=joined, mode=e.Mode.ALL), e.BranchesJoined(join=1, joined=joined)]


def answer(text: str, *sources: str) -> Sequence[Event]:
    committed = e.AnswerCommitted(text=text, sources=tuple(BranchId(branch) for branch in sources))
    return [committed, e.BranchReturned(branch=TRUNK, value=text), e.JobSucceeded()]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path, max_request_bytes=10_000)


@pytest.fixture
async def store(settings: Settings, empty_database: Path) -> AsyncIterator[Store]:
    shutil.copy(empty_database, settings.state)
    async with Store(settings.database) as opened:
        yield opened


@pytest.fixture
def organizers() -> Organizers:
    return Organizers()


@pytest.fixture
def organizer(store: Store) -> Organizer:
    return Organizer(store)


@pytest.fixture
async def app(settings: Settings, store: Store, organizers: Organizers) -> AsyncIterator[FastAPI]:
    deps = Dependencies(settings=settings, store=store, feed=Feed(store.journal), organizers=organizers)
    yield create_app(deps)
    await deps.feed.close()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as opened:
        yield opened


@pytest.fixture
async def job(client: httpx.AsyncClient) -> str:
    """A submitted job."""
    response = await client.post("/v1/jobs", json={"question": "What is six times seven?"})
    assert response.status_code == 202, response.text
    return str(response.json()["id"])
