"""A real `anabranch up` of which parts die: organizers, replicas, `up` itself, Ray's head, everything, the store."""

import asyncio
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.chaos_run import Kill, Note
from benchmarks.chaos_service import Service, kill
from tests.databases import PostgresServer

from anabranch.dag import events as e
from anabranch.service.settings import Settings

LEASE = Settings.model_fields["lease_seconds"].default
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


@dataclass(slots=True)
class UpWorld:
    """After some of the kills `up` is started again, on the same database."""

    service: Service
    database: str
    server: PostgresServer | None
    urls: Sequence[str] = field(init=False)
    words: dict[str, str] = field(default_factory=lambda: WORDS)
    weights: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.urls = (f"http://127.0.0.1:{self.service.settings['ANABRANCH_PORT']}",)
        self.weights = {what: n for what, n in WEIGHTS.items() if what != "store" or self.server}

    async def strike(self, what: str, fate: random.Random, note: Note) -> None:
        match what:
            case "organizer" | "stop" | "replica":
                pids = self.service.pids("replica" if what == "replica" else "organizer")
                if pids:
                    await self._strike_process(what, fate.choice(pids), note)
            case "store":
                assert self.server is not None
                await note("%")
                await asyncio.to_thread(self.server.crash)
                await asyncio.sleep(fate.uniform(0, 5))
                await asyncio.to_thread(self.server.start)
            case _:
                await note("%")
                await asyncio.to_thread(self._take_down, what)
                await asyncio.to_thread(self.service.start)

    async def _strike_process(self, what: str, pid: int, note: Note) -> None:
        await note("%" if what == "replica" else f"%/{pid}/%")
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

    def silence(self, killed: Kill, epoch: int, records: Sequence[e.Record]) -> float | None:
        """Where whoever worked on the job is gone, its next event is the next claim's first."""
        least = epoch if killed.what in {"replica", "store"} else epoch + 1
        after = [one.at for one in records if one.at > killed.at and one.epoch >= least]
        return (after[0] - killed.at).total_seconds() if after else None
