"""Kills real processes of a real service with SIGKILL, at random, while jobs come in by REST, and looks at every
journal after.

    python benchmarks/chaos_real.py --jobs 200 --seconds 600 --seed 1 [--postgres]

The service is `anabranch up`, with two organizers and two scripted replicas on Ray Serve. Killed are organizers and
replicas by their pid, the process of `up` itself, Ray's head, or everything at once; with --postgres, a server of the
script's own is crashed and started again. Organizers are also stopped for longer than their lease. A client that gets
no answer asks again with the same key, and reads the answer as it is written. Told at the end: broken promises, and how
long after each kill the jobs that it hit had their next event.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import httpx
from benchmarks.chaos_reader import Reader
from benchmarks.chaos_service import SCRIPT, Service, kill
from sqlalchemy import func, select
from tests import databases
from tests.chaos.invariants import violations

from anabranch.dag.ids import JobId
from anabranch.service.settings import Settings
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.sql import schema
from anabranch.service.store.sql.database import Database, Work
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.store import Store

LEASE = Settings().lease_seconds
PATIENCE = 240.0
WORDS = {
    "organizer": "organizers killed",
    "stop": "organizers stopped and resumed",
    "replica": "replicas killed",
    "ingress": "`up` killed",
    "head": "Ray's head killed",
    "service": "everything killed at once",
    "store": "PostgreSQL crashed",
}
WEIGHTS = {"organizer": 30, "stop": 15, "replica": 25, "ingress": 8, "head": 8, "service": 6, "store": 8}
NEW_START = {"ingress", "head", "service"}
"""After these, `up` is started again on the same database."""
WISHES = (
    {"policy": {"name": "sequential"}},
    {"policy": {"name": "self-consistency", "params": {"n": 3, "stop": "all"}}},
    {"policy": {"name": "plan"}, "budget": {"tokens": 2000}},
)
CANCELLED = 0.05
"""Of the jobs, by their client, somewhere in between."""


@dataclass(frozen=True, slots=True)
class Kill:
    what: str
    at: datetime
    epochs: dict[JobId, int]
    """The jobs that it hit, and their claims then."""


@dataclass(slots=True)
class Run:
    store: Store
    database: Database
    service: Service
    server: databases.PostgresServer | None
    http: httpx.AsyncClient
    dice: random.Random
    """The clients'."""
    fate: random.Random
    """The killer's: what he draws does not depend on when clients draw."""
    jobs: list[JobId] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)
    reading: list[asyncio.Task[None]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    # -- clients ------------------------------------------------------------------------------------------

    async def submit(self, count: int, seconds: float) -> None:
        """So many jobs, spread over so many seconds."""
        async with asyncio.TaskGroup() as clients:
            for number in range(count):
                clients.create_task(self._client(number, self.dice.random() < CANCELLED))
                await asyncio.sleep(seconds / count * 2 * self.dice.random())

    async def _client(self, number: int, changes_mind: bool) -> None:
        body = {"question": f"What is {number} times seven?", "seed": number, **WISHES[number % len(WISHES)]}
        job = JobId((await self._insisting("/v1/jobs", body, f"key-{number}"))["id"])
        self.jobs.append(job)
        reader = Reader(self.http, job)
        self.readers.append(reader)
        self.reading.append(asyncio.create_task(reader.read(), name=f"reader of {job}"))
        if changes_mind:
            await asyncio.sleep(3)
            await self._insisting(f"/v1/jobs/{job}/cancel", {}, None)

    async def _insisting(self, path: str, body: dict[str, Any], key: str | None) -> dict[str, Any]:
        """Asks again until there is an answer; every other one than success and "come back later" is an error."""
        while True:
            with suppress(httpx.TransportError):
                answer = await self.http.post(
                    path, json=body, headers={"Idempotency-Key": key} if key else {}
                )
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    told: dict[str, Any] = answer.raise_for_status().json()
                    return told
            await asyncio.sleep(0.5)

    # -- the killer ---------------------------------------------------------------------------------------

    async def kill(self, pause: float) -> None:
        """Until it is over: something dies, one after the other."""
        weights = WEIGHTS if self.server else {what: n for what, n in WEIGHTS.items() if what != "store"}
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), self.fate.uniform(0.5, 1.5) * pause)
            if self.over.is_set():
                return
            await self._kill(*self.fate.choices(list(weights), list(weights.values())))

    async def _kill(self, what: str) -> None:
        match what:
            case "organizer" | "stop" | "replica":
                pids = self.service.pids("replica" if what == "replica" else "organizer")
                if pids:
                    await self._kill_process(what, self.fate.choice(pids))
            case "store":
                assert self.server is not None
                await self._note(what, "%")
                await asyncio.to_thread(self.server.crash)
                await asyncio.sleep(self.fate.uniform(0, 5))
                await asyncio.to_thread(self.server.start)
            case _:
                await self._note(what, "%")
                await asyncio.to_thread(self._take_down, what)
                await asyncio.to_thread(self.service.start)

    async def _kill_process(self, what: str, pid: int) -> None:
        await self._note(what, "%" if what == "replica" else f"%/{pid}/%")
        if what != "stop":
            kill(pid)
            return
        kill(pid, signal.SIGSTOP)
        await asyncio.sleep(1.5 * LEASE)
        kill(pid, signal.SIGCONT)

    def _take_down(self, what: str) -> None:
        match what:
            case "ingress":
                self.service.kill_ingress()
            case "head":
                for pid in self.service.pids("head"):
                    kill(pid)
                self.service.await_gone()
            case _:
                self.service.kill_all()

    async def _note(self, what: str, owner: str) -> None:
        held = select(jobs.c.id, jobs.c.epoch).where(
            jobs.c.finished_at.is_(None), jobs.c.lease_owner.like(owner)
        )
        rows = await self._read(lambda connection: connection.execute(held).all())
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

    async def silences(self) -> dict[str, list[float]]:
        """Seconds from a kill to the next event of each job that it hit; not of those that a later kill hit before.

        Where whoever worked on the job is gone, that is the next claim's first event.
        """
        found: dict[str, list[float]] = {what: [] for what in WORDS}
        records = {job: await self.store.journal.read(job) for job in self.jobs}
        for nth, killed in enumerate(self.kills):
            for job, epoch in killed.epochs.items():
                least = epoch if killed.what in {"replica", "store"} else epoch + 1
                after = [one.at for one in records[job] if one.at > killed.at and one.epoch >= least]
                later = [one.at for one in self.kills[nth + 1 :] if one.epochs.get(job) == epoch]
                if after and not (later and later[0] < after[0]):
                    found[killed.what].append((after[0] - killed.at).total_seconds())
        return found

    async def duplicates(self, count: int) -> list[str]:
        """One job for each key, however often it was asked for."""
        stored = await self._read(lambda c: c.execute(select(func.count(jobs.c.id))).scalar_one())
        same = stored == count == len(set(self.jobs))
        return [] if same else [f"{count} keys made {stored} jobs, and {len(set(self.jobs))} were told"]


async def run(options: argparse.Namespace, database: str, folder: Path, server: Any) -> int:
    script = folder / "script.json"
    script.write_text(json.dumps(SCRIPT))
    settings = {
        "ANABRANCH_DATABASE": database,
        "ANABRANCH_ENGINE": "scripted",
        "ANABRANCH_SCRIPT": str(script),
        "ANABRANCH_ORGANIZERS": "2",
        "ANABRANCH_REPLICAS": "2",
        "ANABRANCH_PORT": str(databases.free_port()),
    }
    service = Service(settings, f"{os.getpid()}-{options.seed}", folder / "up.log")
    service.start()
    began = time.monotonic()
    url = f"http://127.0.0.1:{settings['ANABRANCH_PORT']}"
    try:
        async with Store(database) as store, httpx.AsyncClient(base_url=url, timeout=10) as http:
            dice, fate = random.Random(options.seed), random.Random(options.seed)
            run = Run(store, Database(database), service, server, http, dice, fate)
            killing = asyncio.create_task(run.kill(options.pause))
            await run.submit(options.jobs, options.seconds)
            run.over.set()
            await killing  # it may be starting the service again
            await run.ended()
            await asyncio.wait_for(asyncio.gather(*run.reading), PATIENCE)
            found = await run.duplicates(options.jobs) + await violations(database, run.jobs)
            found += [broken for reader in run.readers for broken in reader.broken]
            tell(run, await run.silences(), found, time.monotonic() - began)
            await run.database.close()
            return 1 if found else 0
    finally:
        service.kill_all()


def tell(run: Run, silences: dict[str, list[float]], found: list[str], seconds: float) -> None:
    kills = Counter(killed.what for killed in run.kills)
    print(f"{'':>32} {'kills':>6} {'jobs':>6} {'p50 s':>8} {'max s':>8}")
    for what, words in WORDS.items():
        if kills[what]:
            times = silences[what]
            told = f"{statistics.median(times):8.2f} {max(times):8.2f}" if times else f"{'-':>8} {'-':>8}"
            print(f"{words:>32} {kills[what]:>6} {len(times):>6} {told}")
    print(f"{len(run.jobs)} jobs in {seconds:.0f} s, load {os.getloadavg()[2]:.1f} in the last 15 minutes")
    print(f"{sum(reader.pieces for reader in run.readers)} pieces of answers were read as they came")
    print("\n".join(found) or "no promise was broken")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600.0, help="over which the jobs come in")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=12.0, help="seconds between two kills, on average")
    parser.add_argument(
        "--postgres",
        action="store_true",
        help="on a PostgreSQL server of this machine, which is crashed, too",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, ExitStack() as stack:
        database, server = f"sqlite:///{folder}/anabranch.db", None
        if options.postgres:
            binaries = databases.system_binaries()
            if binaries is None:
                parser.error("--postgres needs PostgreSQL's programs on this machine")
            server = stack.enter_context(databases.started(binaries))
            database = server.url
        asyncio.run(schema.upgrade(database))
        return asyncio.run(run(options, database, Path(folder), server))


if __name__ == "__main__":
    sys.exit(main())
