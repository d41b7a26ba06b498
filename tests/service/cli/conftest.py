"""Commands, run as a user runs them, over an embedded store of their own."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anabranch.dag import events as e
from anabranch.dag.events import Event
from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.text import say
from anabranch.service.cli import main
from anabranch.service.settings import Settings
from anabranch.service.store.rows import NewJob
from anabranch.service.store.store import Store


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("ANABRANCH_URL", "ANABRANCH_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANABRANCH_STATE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return Settings(state=tmp_path)


@pytest.fixture
def anabranch(settings: Settings, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs one command in this process: what it printed and how it ended."""

    def run(*arguments: str) -> Ran:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        told = capfd.readouterr()
        return Ran(int(left.value.code or 0), told.out, told.err)

    return run


class Books:
    """The store, written to from outside the command's thread."""

    def __init__(self, settings: Settings) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.store = Store(settings.database)

    def does(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.begins(work).result(30)

    def begins(self, work: Coroutine[Any, Any, Any]) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def job(self, question: str = "What is six times seven?", policy: str = "self-consistency") -> str:
        spec = JobSpec(messages=(say("user", question),), policy=policy, seed=7)
        new = NewJob(spec=spec, policy_version="v1", trace_id="0" * 32)
        return str(self.does(self.store.jobs.submit(new)).job.id)

    async def write(self, job: str, *events: Event, metrics: dict[str, Any] | None = None) -> None:
        """As an organizer: takes the job up first, where nobody has."""
        for claim in await self.store.queue.claim("organizer-1", 60, 10):
            await self.store.journal.append(
                claim.job, claim.epoch, [e.JobClaimed(owner="organizer-1", attempt=1)]
            )
        epoch = (await self.store.jobs.get(JobId(job))).epoch
        await self.store.journal.append(JobId(job), epoch, events, metrics)

    def close(self) -> None:
        self.does(self.store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def books(settings: Settings, empty_database: Path) -> Iterator[Books]:
    shutil.copy(empty_database, settings.state)
    opened = Books(settings)
    yield opened
    opened.close()


@pytest.fixture
def answered(books: Books, voted: Any) -> str:
    """A finished job: two samples that agree."""
    job = books.job()
    metrics = {
        "critical_path_tokens": 30, "total_tokens": 40, "parallelism": 4 / 3, "waste_tokens": 0,
        "critical_path_seconds": 1.0, "wall_seconds": 1.5, "queue_seconds": 0.1, "branches": 3,
    }  # fmt: skip
    books.does(books.write(job, *(record.event for record in voted.records[2:]), metrics=metrics))
    return job


@pytest.fixture
def organizer(books: Books, voted: Any) -> Iterator[list[Event]]:
    """Answers each job that comes in, with these events."""
    events = [record.event for record in voted.records[2:]]
    stop = threading.Event()

    async def work() -> None:
        while not stop.is_set():
            for job in (await books.store.jobs.list_page(status="queued")).items:
                await books.write(job.id, *events)
            await asyncio.sleep(0.02)

    working = books.begins(work())
    yield events
    stop.set()
    working.result(10)
