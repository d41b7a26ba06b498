"""A rolling upgrade and back, under load: programs of two releases work at once on one database, and no job notices.

One older program works; the schema is upgraded under it; a newer one joins; the older hands over and ends; another
older one starts on the newer schema, as a pod does that is restarted in the middle; the newer is rolled back.
"""

import asyncio
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests import scripted_program
from tests.builds import Build, next_build, previous_build, this_build
from tests.databases import Databases

BEFORE = "66a7f59"
"""The last commit whose programs refuse every schema but their own; they know nothing of what came after."""
TERMINAL = {"JobSucceeded", "JobFailed", "JobCancelled"}


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@dataclass
class Program:
    """A process of one build, with REST and an organizer."""

    process: subprocess.Popen[str]
    url: str = ""

    def await_started(self) -> None:
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http"), f"it did not start: {self.process.poll()}"

    def stop(self) -> None:
        """It hands its jobs over, and ends."""
        self.process.terminate()
        assert self.process.wait(60) == 0


@dataclass
class Fleet:
    """The programs on one database."""

    database: str
    folder: Path
    ends: ExitStack = field(default_factory=ExitStack)
    alive: list[Program] = field(default_factory=list)

    def begin(self, build: Build, name: str) -> Program:
        state = self.folder / name
        state.mkdir()
        process = subprocess.Popen(
            [sys.executable, scripted_program.__file__, name],
            env={**build.environment, "ANABRANCH_DATABASE": self.database, "ANABRANCH_STATE": str(state)},
            cwd=build.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        self.ends.callback(process.stdout.close)
        self.ends.callback(process.wait)
        self.ends.callback(process.kill)
        return Program(process)

    async def join(self, program: Program) -> None:
        await asyncio.to_thread(program.await_started)
        self.alive.append(program)

    async def leave(self, program: Program) -> None:
        self.alive.remove(program)
        await asyncio.to_thread(program.stop)


@contextmanager
def fleet(database: str, folder: Path) -> Iterator[Fleet]:
    with ExitStack() as ends:
        yield Fleet(database, folder, ends)


class Clients:
    """Submit a job every so often, each by another program, until they are told to stop; then wait for all answers."""

    def __init__(self, fleet: Fleet, http: httpx.AsyncClient, *policies: str) -> None:
        self._fleet = fleet
        self._policies = policies
        self._http = http
        self.jobs: dict[str, str] = {}
        """By the key with which each was submitted."""
        self.enough = asyncio.Event()

    async def submit(self) -> None:
        while not self.enough.is_set():
            await self._submit_one(self._policies[len(self.jobs) % len(self._policies)])
            await asyncio.sleep(0.25)

    async def answers(self) -> list[dict[str, Any]]:
        return [await self.get(f"/v1/jobs/{job}?wait=60") for job in self.jobs.values()]

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self._http.get(
            self._fleet.alive[-1].url + path, headers={"Accept": "application/json"}
        )
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def _submit_one(self, policy: str) -> None:
        """Whoever is refused or cut off asks again, with the same key, whoever is there."""
        key = secrets.token_hex(8)
        body = {"question": "What is six times seven?", "policy": {"name": policy}}
        async with asyncio.timeout(60):
            while key not in self.jobs:
                program = self._fleet.alive[len(self.jobs) % len(self._fleet.alive)]
                try:
                    told = await self._http.post(
                        f"{program.url}/v1/jobs", json=body, headers={"Idempotency-Key": key}
                    )
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                    continue
                assert told.status_code in {200, 202}, told.text
                self.jobs[key] = told.json()["id"]


async def until_submitted(clients: Clients, least: int) -> None:
    """Until so many jobs more were submitted."""
    wanted = len(clients.jobs) + least
    async with asyncio.timeout(120):
        while len(clients.jobs) < wanted:
            await asyncio.sleep(0.05)


async def roll(fleet: Fleet, clients: Clients, older: Build, newer: Build) -> None:
    """Forth and back."""
    first = fleet.begin(older, "older-1")
    await fleet.join(first)
    submitting = asyncio.create_task(clients.submit())
    await until_submitted(clients, 3)
    upgrading = asyncio.to_thread(newer.run, "db", "upgrade", ANABRANCH_DATABASE=fleet.database)
    assert "applied" in await upgrading
    second, third = fleet.begin(newer, "newer"), fleet.begin(older, "older-2")
    await fleet.join(second)
    await until_submitted(clients, 3)
    await fleet.leave(first)
    await fleet.join(third)
    await until_submitted(clients, 3)
    await fleet.leave(second)
    clients.enough.set()
    await submitting


async def assert_that_no_job_noticed(clients: Clients) -> Counter[str]:
    """None lost, doubled or divergent, each at its first attempt; gives how often each program claimed one."""
    owners: Counter[str] = Counter()
    answers = await clients.answers()
    assert [(job["status"], job["attempt"]) for job in answers] == [("succeeded", 1)] * len(clients.jobs)
    assert len(set(clients.jobs.values())) == len(clients.jobs)
    listed = await clients.get("/v1/jobs?limit=200")
    assert {job["id"] for job in listed["items"]} == set(clients.jobs.values())
    for job in clients.jobs.values():
        events = (await clients.get(f"/v1/jobs/{job}/events"))["items"]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert sum(event["kind"] in TERMINAL for event in events) == 1
        owners.update(event["payload"]["owner"] for event in events if event["kind"] == "JobClaimed")
        assert (await clients.get(f"/v1/jobs/{job}/audit"))["ok"]
    return owners


async def run(database: str, folder: Path, older: Build, newer: Build, *policies: str) -> None:
    with fleet(database, folder) as programs:
        async with httpx.AsyncClient(timeout=30) as http:
            clients = Clients(programs, http, *policies)
            await roll(programs, clients, older, newer)
            owners = await assert_that_no_job_noticed(clients)
        assert {*owners} == {"older-1", "newer", "older-2"}
        assert owners.total() > len(clients.jobs), "some jobs were under way when they were handed over"


@pytest.fixture
def postgres_url(databases: Databases) -> str:
    return databases.empty("postgres")


@pytest.mark.postgres
async def test_this_release_and_the_next_work_at_once_forth_and_back(
    postgres_url: str, tmp_path: Path
) -> None:
    older, newer = this_build(tmp_path / "this"), next_build(tmp_path / "next")
    await run(postgres_url, tmp_path, older, newer, "self-consistency", "sequential", "skeleton-of-thought")


async def test_a_release_from_before_works_and_starts_on_the_schema_of_this_one(
    databases: Databases, tmp_path: Path
) -> None:
    """It cannot know what this release puts into journals, so its jobs are of the policy that puts in nothing new."""
    older = previous_build(tmp_path / "before", BEFORE)
    if older is None:
        pytest.skip(f"the history of this checkout does not go back to {BEFORE}")
    database = databases.empty("sqlite")
    await run(database, tmp_path, older, this_build(tmp_path / "this"), "sequential")
