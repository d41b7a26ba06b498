"""Runs real chaos: clients submit and read, something dies now and then, and at the end every promise is checked."""

import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, Protocol

import httpx
from benchmarks.chaos_reader import ChatReader, Reader
from sqlalchemy import func, select
from tests.chaos.invariants import violations
from tests.cluster.clients import LATER

from anabranch.dag import events as e
from anabranch.dag.ids import JobId
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.sql.database import Database, Work
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.store import Store

PATIENCE = 240.0
WISHES = (
    {"policy": {"name": "sequential"}},
    {"policy": {"name": "self-consistency", "params": {"n": 3, "stop": "all"}}},
    {"policy": {"name": "plan"}, "budget": {"tokens": 2000}},
)
CHATS = 5
"""One client in so many asks for a streamed chat completion."""
CANCELLED = 0.05
"""Of the jobs, by their client, somewhere in between."""

Note = Callable[[str], Awaitable[None]]
"""To be called just before something dies, with a pattern of the lease owners whose jobs it may hit."""


@dataclass(frozen=True, slots=True)
class Kill:
    what: str
    at: datetime
    epochs: dict[JobId, int]
    """The jobs that it may have hit, and their claims then."""


class World(Protocol):
    """A service of which parts can be killed."""

    @property
    def database(self) -> str: ...

    @property
    def urls(self) -> Sequence[str]:
        """Of REST: a client asks the next one when one does not answer."""
        ...

    @property
    def words(self) -> Mapping[str, str]:
        """What can die, and how it is told."""
        ...

    @property
    def weights(self) -> Mapping[str, int]:
        """How often each of them dies, of their sum."""
        ...

    async def strike(self, what: str, fate: random.Random, note: Note) -> None:
        """Returns when it has been brought back, or will come back by itself."""
        ...

    def silence(self, killed: Kill, epoch: int, records: Sequence[e.Record]) -> float | None:
        """Seconds from a kill to the next event of a job that it hit, whose claim then was `epoch`. None: it was not
        hit, or nothing came any more."""
        ...


@dataclass(slots=True)
class Run:
    world: World
    store: Store
    database: Database
    http: httpx.AsyncClient
    dice: random.Random
    """The clients'."""
    fate: random.Random
    """The killer's: what he draws does not depend on when clients draw."""
    jobs: list[JobId] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    readers: list[Reader | ChatReader] = field(default_factory=list)
    reading: list[asyncio.Task[None]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    # -- clients ------------------------------------------------------------------------------------------

    async def submit(self, many: int, seconds: float) -> None:
        """So many jobs, spread over so many seconds."""
        async with asyncio.TaskGroup() as clients:
            for number in range(many):
                clients.create_task(self._client(number, self.dice.random() < CANCELLED))
                await asyncio.sleep(seconds / many * 2 * self.dice.random())

    async def _client(self, number: int, changes_mind: bool) -> None:
        question = f"What is {number} times seven?"
        if number % CHATS == CHATS - 1:
            await self._chat(number, question)
            return
        body = {"question": question, "seed": number, **WISHES[number % len(WISHES)]}
        job = JobId((await self._insisting(number, "/v1/jobs", body, f"key-{number}"))["id"])
        self.jobs.append(job)
        reader = Reader(self.http, job, self.world.urls, first=number)
        self.readers.append(reader)
        self.reading.append(asyncio.create_task(reader.read(), name=f"reader of {job}"))
        if changes_mind:
            await asyncio.sleep(3)
            await self._insisting(number, f"/v1/jobs/{job}/cancel", {}, None)

    async def _chat(self, number: int, question: str) -> None:
        reader = ChatReader(self.http, number, question, self.world.urls)
        self.readers.append(reader)
        await reader.read()
        self.jobs.append(JobId(reader.job))

    async def _insisting(
        self, number: int, path: str, body: dict[str, Any], key: str | None
    ) -> dict[str, Any]:
        """Asks again until there is an answer; every other one than success and "come back later" is an error."""
        urls = self.world.urls
        for nth in count(number):
            with suppress(httpx.TransportError):
                answer = await self.http.post(
                    urls[nth % len(urls)] + path, json=body, headers={"Idempotency-Key": key} if key else {}
                )
                if answer.status_code not in LATER:
                    told: dict[str, Any] = answer.raise_for_status().json()
                    return told
            await asyncio.sleep(0.5)
        raise AssertionError

    # -- the killer ---------------------------------------------------------------------------------------

    async def kill(self, pause: float, listed: Sequence[str] = (), *, each: bool = False) -> None:
        """Until it is over: something dies, one after the other. What is listed dies first, however long that takes;
        then, with `each`, all that has not died yet."""
        rest = [what for what in self.world.weights if each and what not in listed]
        for what in [*listed, *self.fate.sample(rest, len(rest))]:
            done = len(self.kills)
            while len(self.kills) == done:  # an organizer, say, may just not be there
                await asyncio.sleep(self._pause(pause))
                await self._strike(what)
        weights = self.world.weights
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), self._pause(pause))
            if self.over.is_set():
                return
            [what] = self.fate.choices(list(weights), list(weights.values()))
            await self._strike(what)

    def _pause(self, average: float) -> float:
        return self.fate.uniform(0.5, 1.5) * average

    async def _strike(self, what: str) -> None:
        await self.world.strike(what, self.fate, partial(self._note, what))

    async def _note(self, what: str, owner: str) -> None:
        held = select(jobs.c.id, jobs.c.epoch).where(
            jobs.c.finished_at.is_(None), jobs.c.lease_owner.like(owner)
        )
        rows = await self._read(lambda connection: connection.execute(held).all())
        sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {self.world.words[what]}\n")
        self.kills.append(Kill(what, datetime.now(UTC), {JobId(row.id): row.epoch for row in rows}))

    async def _read(self, work: Work[Any]) -> Any:
        """A crash of the server breaks this process's connections, too."""
        while True:
            with suppress(StoreAway):
                return await self.database.read(work)
            await asyncio.sleep(0.1)

    # -- what became of it --------------------------------------------------------------------------------

    async def ended(self) -> None:
        give_up = time.monotonic() + PATIENCE
        open_jobs = select(func.count()).where(jobs.c.finished_at.is_(None))
        while time.monotonic() < give_up:
            if not await self._read(lambda connection: connection.execute(open_jobs).scalar_one()):
                return
            await asyncio.sleep(1.0)

    async def broken(self, many: int) -> list[str]:
        """Each broken promise, in words."""
        found = await self._duplicates(many) + await violations(self.world.database, self.jobs)
        return found + [broken for reader in self.readers for broken in reader.broken]

    async def silences(self) -> dict[str, list[float]]:
        """By what was killed: seconds until the jobs that it hit went on; not of those that a later kill hit before."""
        found: dict[str, list[float]] = {what: [] for what in self.world.words}
        records = {job: await self.store.journal.read(job) for job in self.jobs}
        for nth, killed in enumerate(self.kills):
            for job, epoch in killed.epochs.items():
                silence = self.world.silence(killed, epoch, records[job])
                later = [one.at for one in self.kills[nth + 1 :] if one.epochs.get(job) == epoch]
                if silence is not None and not (later and (later[0] - killed.at).total_seconds() < silence):
                    found[killed.what].append(silence)
        return found

    async def _duplicates(self, many: int) -> list[str]:
        """One job for each key, however often it was asked for."""
        stored = await self._read(lambda c: c.execute(select(func.count(jobs.c.id))).scalar_one())
        same = stored == many == len(set(self.jobs))
        return [] if same else [f"{many} keys made {stored} jobs, and {len(set(self.jobs))} were told"]

    def table(self, silences: Mapping[str, Sequence[float]]) -> str:
        """How often what was killed, and how long the jobs that it hit stood still."""
        kills = Counter(killed.what for killed in self.kills)
        lines = [f"{'':>32} {'kills':>6} {'jobs':>6} {'p50 s':>8} {'max s':>8}"]
        for what, words in self.world.words.items():
            if kills[what]:
                times = silences[what]
                told = f"{statistics.median(times):8.2f} {max(times):8.2f}" if times else f"{'-':>8} {'-':>8}"
                lines.append(f"{words:>32} {kills[what]:>6} {len(times):>6} {told}")
        return "\n".join(lines)
