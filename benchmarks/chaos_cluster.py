"""A cluster in pods of which parts die: the world of tests/cluster, with everything in it."""

import asyncio
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.chaos_run import Kill, Note
from benchmarks.chaos_service import kill
from tests.cluster.bed import Bed
from tests.cluster.effects import effect
from tests.cluster.pod import Pod
from tests.cluster.ray_pods import REPLICA

from anabranch.dag import events as e

WORDS = {
    "organizer": "organizers killed",
    "replica": "replicas killed",
    "worker": "workers killed",
    "link": "workers cut off",
    "drain": "workers told to end",
    "head": "heads killed",
    "api": "REST processes killed",
    "store": "PostgreSQL crashed",
    "config": "the same config put again",
}
WEIGHTS = {
    "organizer": 16,
    "replica": 16,
    "worker": 14,
    "link": 14,
    "drain": 10,
    "head": 10,
    "api": 12,
    "store": 6,
    "config": 4,
}
ROLES = {"organizer": f"{REPLICA}Organizer", "replica": f"{REPLICA}pool-"}
CUT_SECONDS = (5.0, 30.0)
"""Some of the cut workers are let back in before Ray declares them dead, some are not."""
AWAY_SECONDS = (5.0, 30.0)
"""Of a head."""


@dataclass(slots=True)
class ClusterWorld:
    """Whatever was struck is brought back as Kubernetes would, before the next thing is struck."""

    bed: Bed
    words: dict[str, str] = field(default_factory=lambda: WORDS)
    weights: dict[str, int] = field(default_factory=lambda: WEIGHTS)
    _successors: int = 0

    @property
    def database(self) -> str:
        return self.bed.database

    @property
    def urls(self) -> Sequence[str]:
        return self.bed.urls

    async def strike(self, what: str, fate: random.Random, note: Note) -> None:
        worker, api = fate.choice(self.bed.ray.workers), fate.choice(self.bed.apis)
        match what:
            case "organizer" | "replica":
                await self._strike_process(what, worker, note)
            case "worker":
                await note("%")
                worker.kill()
                await self._start(worker)
            case "link":
                await note("%")
                self.bed.network.cut(worker.name)
                await asyncio.sleep(fate.uniform(*CUT_SECONDS))
                self.bed.network.mend(worker.name)
                await self._start_if_dead(worker)
            case "drain":
                await note("%")
                await self._replace(worker)
            case "head":
                await note("%")
                self.bed.ray.head.kill()
                await asyncio.sleep(fate.uniform(*AWAY_SECONDS))
                self.bed.ray.head.start()
                await asyncio.to_thread(self.bed.ray.await_head)
            case "api":
                await note("%")
                api.kill()
                await asyncio.sleep(fate.uniform(0, 5))
                api.start()
                await asyncio.to_thread(self.bed.await_api, api)
            case "store":
                await note("%")
                self.bed.postgres.kill()
                await asyncio.sleep(fate.uniform(0, 5))
                self.bed.postgres.start()
            case _:
                await note("%")
                await asyncio.to_thread(self.bed.ray.put, self.bed.manifest.serve_config)

    async def _strike_process(self, what: str, worker: Pod, note: Note) -> None:
        pids = [pid for pid, told in worker.processes().items() if told.startswith(ROLES[what])]
        if pids:
            await note(f"{worker.name}/%" if what == "organizer" else "%")
            kill(pids[0], signal.SIGKILL)

    async def _start(self, worker: Pod) -> None:
        worker.start()
        await asyncio.to_thread(self.bed.ray.await_worker, worker)

    async def _start_if_dead(self, worker: Pod) -> None:
        """Ray lets nobody back in whom it has declared dead: such a worker ends by itself when it hears of it."""
        try:
            await asyncio.to_thread(worker.await_end, 15.0)
        except TimeoutError:
            return
        await self._start(worker)

    async def _replace(self, leaving: Pod) -> None:
        self._successors += 1
        successor = self.bed.make_worker(f"worker-{2 + self._successors}")
        leaving.terminate()
        successor.start()
        self.bed.ray.workers[self.bed.ray.workers.index(leaving)] = successor
        await asyncio.to_thread(leaving.await_end, 180.0)
        await asyncio.to_thread(self.bed.ray.await_worker, successor)

    def silence(
        self,
        killed: Kill,
        epoch: int,  # noqa: ARG002 - the journal tells what hit the job
        records: Sequence[e.Record],
    ) -> float | None:
        """Of those that tell of a fault; where the store was away, of the next event."""
        if killed.what != "store":
            return effect(records, killed.at)
        after = [one.at for one in records if one.at > killed.at]
        return (after[0] - killed.at).total_seconds() if after else None
