"""Kills real processes of a real service with SIGKILL, at random, while jobs run, and looks at every journal after.

    python benchmarks/chaos_real.py --jobs 50 --seed 1 [--database URL]

The service: two organizers and two scripted replicas on Ray Serve, in a process of its own. Organizers and replicas are
killed by their pid, now and then the whole service, Ray with it; it is then started again on the same database. Told at
the end: broken promises, and how long after each kill the jobs of the killed one had their next event.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from sqlalchemy import text
from tests.chaos.invariants import violations

from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec, Sampling
from anabranch.dag.policy import policy_named
from anabranch.dag.text import say
from anabranch.service.settings import Settings
from anabranch.service.store import schema
from anabranch.service.store.database import Database
from anabranch.service.store.rows import NewJob
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line, Rule, Rules
from anabranch.workers.settings import EngineSettings, PoolSettings

MARK = "CHAOS_WORLD"
"""In the environment of every process of the service: only those are ever killed."""
ROLES = {"organizer": "ray::ServeReplica:anabranch-organizer", "replica": "ray::ServeReplica:anabranch-pool"}
TOKENS_PER_SECOND = 20.0
WORDS = {
    "organizer": "organizers killed",
    "stop": "organizers stopped and resumed",
    "replica": "replicas killed",
    "service": "whole service killed",
}
PATIENCE = 240.0
STARTS = 4
LEASE = Settings().lease_seconds
PLAN = {
    "subtasks": [
        {"id": "a", "question": "Find A.", "after": []},
        {"id": "b", "question": "Find B.", "after": ["a"]},
    ],
    "synthesis": "Add them.",
}
SCRIPT = Rules(
    (
        Rule(branch="0.1", matches="subtasks", line=Line(text=json.dumps(PLAN))),
        Rule(line=Line(text="so it goes " * 25 + "\\boxed{42}")),
    )
)
WISHES = (("sequential", {}), ("self-consistency", {"n": 3, "stop": "all"}), ("plan", {}))


# -- the service, in a process of its own --------------------------------------------------------------


def serve(database: str) -> None:
    """Until it is killed, or told to stop."""
    from anabranch.service import app

    usual = app.pool_settings

    def slowly(settings: Settings) -> PoolSettings:
        options = {"script": SCRIPT, "tokens_per_second": TOKENS_PER_SECOND}
        return replace(usual(settings), engine=EngineSettings(name="scripted", options=options))

    app.pool_settings = slowly
    settings = Settings(database=database, engine="scripted", organizers=2, replicas=2, port=0)
    with app.running(settings) as service:
        service.wait_until_ready(lambda _: None)
        print("ready", flush=True)
        signal.sigwait({signal.SIGTERM})


@dataclass(slots=True)
class Service:
    """The service as its killer sees it."""

    database: str
    world: str
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Ray itself may not come up on a machine that is busy; so it is tried again, as a supervisor would."""
        for _ in range(STARTS):
            if self._started():
                return
            self.kill_all()
        raise SystemExit("the service did not start; see above")

    def _started(self) -> bool:
        command = [sys.executable, __file__, "--serve", "--database", self.database]
        environment = {**os.environ, MARK: self.world}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        return any(line.startswith("ready") for line in self.process.stdout)

    def pids(self, role: str) -> list[int]:
        return [pid for pid, name in self._processes() if name.startswith(ROLES[role])]

    def kill_all(self) -> None:
        """The machine is gone: the service, its Ray, all at once."""
        for pid, _ in self._processes():
            kill(pid)
        if self.process is not None:
            self.process.wait()

    def _processes(self) -> list[tuple[int, str]]:
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != os.getpid():
                try:
                    ours = f"{MARK}={self.world}".encode() in (folder / "environ").read_bytes().split(b"\0")
                    name = (folder / "cmdline").read_bytes().split(b"\0")[0].decode()
                except OSError:
                    continue  # it has ended, or is not ours to look at
                if ours:
                    found.append((int(folder.name), name))
        return found


def kill(pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return


async def stop(pid: int) -> None:
    """It sleeps through its lease, and goes on as if nothing had happened."""
    kill(pid, signal.SIGSTOP)
    await asyncio.sleep(1.5 * LEASE)
    kill(pid, signal.SIGCONT)


# -- the killer ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Killed:
    """A kill, and the jobs that the killed one had in hand."""

    what: str
    at: datetime
    jobs: list[JobId]


@dataclass(slots=True)
class Run:
    store: Store
    database: Database
    service: Service
    dice: random.Random
    jobs: list[JobId] = field(default_factory=list)
    kills: list[Killed] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def submit(self, count: int) -> None:
        for number in range(count):
            policy, params = WISHES[number % len(WISHES)]
            spec = JobSpec(
                messages=(say("user", f"What is {number} times seven?"),),
                policy=policy,
                params=params,
                seed=number,
                sampling=Sampling(max_tokens=200),
            )
            version = policy_named(policy).version
            new = NewJob(spec=spec, policy_version=version, trace_id=f"{number:032x}")
            self.jobs.append((await self.store.submit(new)).job.id)
            await asyncio.sleep(self.dice.random())

    async def kill(self, pause: float) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.enough.wait(), self.dice.uniform(0.5, 1.5) * pause)
            if self.enough.is_set():
                return
            dice = self.dice.random()
            if dice < 0.1:
                await self._note("service", "%")
                await asyncio.to_thread(self.service.kill_all)
                await asyncio.to_thread(self.service.start)
                continue
            role = "organizer" if dice < 0.6 else "replica"
            pids = self.service.pids(role)
            if pids:
                pid = self.dice.choice(pids)
                if dice < 0.2:
                    await self._note("stop", f"%/{pid}/%")
                    await stop(pid)
                else:
                    await self._note(role, f"%/{pid}/%" if role == "organizer" else "")
                    kill(pid)

    async def _note(self, what: str, owner: str) -> None:
        held = text("SELECT id FROM jobs WHERE finished_at IS NULL AND lease_owner LIKE :owner")
        jobs = await self.database.read(lambda c: c.execute(held, {"owner": owner}).scalars().all())
        self.kills.append(Killed(what, datetime.now(UTC), [JobId(job) for job in jobs]))

    async def ended(self) -> bool:
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            rows = [await self.store.job(job) for job in self.jobs]
            if all(row.finished_at is not None for row in rows):
                return True
            await asyncio.sleep(1.0)
        return False

    async def silences(self) -> dict[str, list[float]]:
        """Seconds from a kill to the next event of each job that the killed one had in hand."""
        found: dict[str, list[float]] = {}
        for killed in self.kills:
            for job in killed.jobs:
                after = [record.at for record in await self.store.records(job) if record.at > killed.at]
                if after:
                    found.setdefault(killed.what, []).append((after[0] - killed.at).total_seconds())
        return found


async def run(options: argparse.Namespace, database: str) -> int:
    service = Service(database, world=f"{os.getpid()}-{options.seed}")
    service.start()
    try:
        async with Store(database) as store:
            run = Run(store, Database(database), service, random.Random(options.seed))
            killing = asyncio.create_task(run.kill(options.pause))
            await run.submit(options.jobs)
            await asyncio.wait({killing}, timeout=options.more_seconds)
            run.enough.set()
            await killing  # it may be starting the service again
            ended = await run.ended()
            found = await violations(database, run.jobs)
            await run.database.close()
            tell(run, await run.silences(), found)
            return 0 if ended and not found else 1
    finally:
        service.kill_all()


def tell(run: Run, silences: dict[str, list[float]], found: list[str]) -> None:
    for what, words in WORDS.items():
        print(f"{words:>30} {sum(killed.what == what for killed in run.kills):>6}")
    print(f"{'jobs':>30} {len(run.jobs):>6}")
    for what, seconds in silences.items():
        p50, worst = statistics.median(seconds), max(seconds)
        print(f"{WORDS[what]}: next event after p50 {p50:.2f} s, max {worst:.2f} s ({len(seconds)} jobs)")
    print("\n".join(found) or "no promise was broken")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=4.0, help="seconds between two kills, on average")
    parser.add_argument(
        "--more-seconds", type=float, default=20.0, help="killing goes on after the last job came"
    )
    parser.add_argument(
        "--database", help="an empty PostgreSQL database; left out: SQLite in a temporary folder"
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        serve(options.database)
        return 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        database = options.database or f"sqlite:///{folder}/anabranch.db"
        asyncio.run(schema.upgrade(database))
        return asyncio.run(run(options, database))


if __name__ == "__main__":
    sys.exit(main())
