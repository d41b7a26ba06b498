"""A world in one process and in virtual time: the real store, the real organizers, and a seed that breaks them."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.chaos.faults import CALM, USUAL, Meter, Odds, Process
from tests.chaos.virtual import run_virtually
from tests.chaos.wishes import script, wishes
from tests.chaos.world import LEASE, Living, UnevenEngine, World, copy_store

from anabranch.dag.ids import JobId
from anabranch.dag.limits import Limits
from anabranch.dag.policy import policy_named
from anabranch.service.organizer.guardian import report_loss
from anabranch.service.store.errors import AlreadyDecided, ApprovalWithdrawn, JobEnded, StoreAway
from anabranch.service.store.jobs.requests import Decision
from anabranch.service.store.rows import NewJob
from anabranch.service.store.store import Store

PATIENCE = 900.0
"""Virtual seconds after which a job that has not ended is lost."""


@dataclass(slots=True)
class Tally:
    """What a seed did."""

    deaths: int = 0
    pauses: int = 0
    outages: int = 0
    hand_overs: int = 0
    commits: int = 0
    refused_requests: int = 0
    jobs: list[JobId] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)
    virtual_seconds: float = 0.0


class House:
    """The world of one seed."""

    def __init__(
        self, url: str, seed: int, tally: Tally, *, deaths: int, jobs: int, organizers: int, odds: Odds
    ) -> None:
        self._world = World(url, script, UnevenEngine)
        self._odds, self._most_deaths = odds, deaths
        self._dice = random.Random(seed)
        self._wanted, self._organizers = jobs, organizers
        self.tally = tally
        tally.meter = self._world.meter
        self._living: dict[str, Living] = {}
        self._born = 0
        self._errands: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        for _ in range(self._organizers):
            self._be_born()
        client = self._process("client", replace(self._odds, death=0))
        store = self._world.store_in(client)
        troubles = [self._trouble(), self._people(store)]
        tasks = [asyncio.create_task(trouble) for trouble in troubles]
        async with asyncio.timeout(PATIENCE):
            await self._submit(store)
            for job in self.tally.jobs:
                await self._until_ended(store, job)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._go_home()
        await store.close()
        await self._world.close()
        self.tally.virtual_seconds = asyncio.get_running_loop().time()

    # -- organizers -----------------------------------------------------------------------------------------

    def _process(self, name: str, odds: Odds) -> Process:
        dice = random.Random(self._dice.random())
        process = self._world.process(name, odds=odds, dice=dice)
        process.on_death = self._bury
        return process

    def _be_born(self) -> None:
        self._born += 1
        name = f"organizer {self._born}"
        calm = self.tally.deaths >= self._most_deaths
        process = self._process(name, replace(self._odds, death=0.0) if calm else self._odds)
        self._living[name] = self._world.begin(process)

    def _bury(self, process: Process) -> None:
        self.tally.deaths += 1
        self._errand(self._burial(process))

    async def _burial(self, process: Process) -> None:
        living = self._living.pop(process.name)
        computed = living.organizer._mark.read()  # nothing, always: processes die here between two steps
        self.tally.commits += process.commits
        await living.stop_work()
        await asyncio.sleep(self._dice.random())
        living.wire.hang_up()
        if self._dice.random() < 0.5:  # else its machine was lost, and its guardian too
            with suppress(StoreAway):
                guardian = self._world.store_in(self._process("guardian", CALM))
                await report_loss(guardian, process.name, LEASE, computed)
        await asyncio.sleep(self._dice.random())
        self._be_born()

    def _errand(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _go_home(self) -> None:
        """All that still lives drains; then nothing may be left."""
        self._odds = CALM
        self._world.away.clear()
        for living in self._living.values():
            living.process.odds = CALM
            living.process.running.set()
        await self._bury_all()
        while self._living:
            name, living = next(iter(self._living.items()))
            await living.organizer.drain()
            await asyncio.wait({living.task})
            await self._bury_all()
            if self._living.pop(
                name, None
            ):  # else a commit that was under way was its last; its heir is next
                living.task.result()
                self.tally.commits += living.process.commits
                await living.store.close()

    async def _bury_all(self) -> None:
        while self._errands:
            await asyncio.gather(*self._errands)

    # -- trouble --------------------------------------------------------------------------------------------

    async def _trouble(self) -> None:
        """Beside the deaths at commits: deaths at any time, pauses longer than a lease, hand-overs, store outages."""
        while True:
            await asyncio.sleep(self._dice.expovariate(2.0))
            if not self._living or self.tally.deaths >= self._most_deaths:
                continue
            name = self._dice.choice(sorted(self._living))
            living = self._living[name]
            process = living.process
            match self._dice.randrange(8):
                case 0 | 1 | 2:
                    process.die()
                case 3 | 4 if process.running.is_set():
                    self._errand(self._pause(process))
                case 5 if process.running.is_set():
                    self._errand(self._replace(living))
                case 6:
                    await self._outage()
                case _:
                    pass

    async def _pause(self, process: Process) -> None:
        self.tally.pauses += 1
        process.running.clear()
        await asyncio.sleep(self._dice.expovariate(1 / LEASE))
        process.running.set()

    async def _replace(self, living: Living) -> None:
        """A rolling restart: it drains, unless it dies of it."""
        process, draining = living.process, asyncio.create_task(living.organizer.drain())
        await asyncio.wait({draining, living.task}, return_when=asyncio.FIRST_COMPLETED)
        if process.alive and self._living.pop(process.name, None) is not None:
            self.tally.hand_overs += 1
            self.tally.commits += process.commits
            process.alive = False
            self._be_born()

    async def _outage(self) -> None:
        self.tally.outages += 1
        self._world.away.set()
        await asyncio.sleep(self._dice.expovariate(1 / LEASE))
        self._world.away.clear()

    # -- clients --------------------------------------------------------------------------------------------

    async def _submit(self, store: Store) -> None:
        """Every job under a key: a client that heard nothing asks again, and gets the same one."""
        for number in range(self._wanted):
            hedges = number % 2 == 1
            spec = wishes(self._dice, wide=hedges)
            new = NewJob(
                spec=spec,
                policy_version=policy_named(spec.policy).version,
                limits=Limits(
                    completion_price=0.01,
                    width=10 if hedges else 4,
                    slowdown=1.5 * (number % 3 == 0),
                    hedge=0.5 * hedges,
                ),
                trace_id=f"{number:032x}",
                idempotency_key=f"job {number}",
                body_digest=f"{number}",
            )
            await self._submit_one(store, new)
            await asyncio.sleep(self._dice.random())

    async def _submit_one(self, store: Store, new: NewJob) -> None:
        """Half of the jobs are claimed as they are submitted, as in one process; some of these claims get lost."""
        taker = next((one for one in self._living.values() if one.organizer.room_for_fresh), None)
        if taker is None or self._dice.random() < 0.5:
            self.tally.jobs.append((await self._stubbornly(partial(store.jobs.submit, new))).job.id)
            return
        submit = partial(store.jobs.submit_all, [new], taker.organizer.as_taker)
        (submitted,) = await self._stubbornly(submit)
        self.tally.jobs.append(submitted.job.id)
        if submitted.claim is not None and self._dice.random() < 0.9 and self._lives(taker):
            taker.organizer.take(submitted.claim)

    def _lives(self, living: Living) -> bool:
        return self._living.get(living.process.name) is living

    async def _stubbornly(self, ask: Callable[[], Any]) -> Any:
        while True:
            try:
                return await ask()
            except StoreAway:
                self.tally.refused_requests += 1
                await asyncio.sleep(0.5)

    async def _until_ended(self, store: Store, job: JobId) -> None:
        while (await self._stubbornly(lambda: store.jobs.get(job))).finished_at is None:
            await asyncio.sleep(0.25)

    async def _people(self, store: Store) -> None:
        """They decide, some twice, and now and then cancel."""
        while True:
            await asyncio.sleep(0.5)
            with suppress(StoreAway):
                for gate in await store.jobs.list_approvals("pending"):
                    decision: Decision = self._dice.choice(["approve", "approve", "reject"])
                    for _ in range(self._dice.choice([1, 2])):
                        with suppress(AlreadyDecided, ApprovalWithdrawn, JobEnded):
                            await store.jobs.decide_approval(gate.id, decision, by="ada")
                if self.tally.jobs and self._dice.random() < 0.02:
                    await store.jobs.request_cancel(self._dice.choice(self.tally.jobs), "changed my mind")


def survive(
    folder: Path,
    template: Path,
    seed: int,
    tally: Tally,
    *,
    deaths: int = 100,
    jobs: int = 16,
    odds: Odds = USUAL,
) -> str:
    """Runs one seed; gives the URL of the store that it left. Raises TimeoutError for a lost job."""
    url = copy_store(template, folder / f"{seed}.db")

    async def main() -> None:
        house = House(url, seed, tally, deaths=deaths, jobs=jobs, organizers=2 + seed % 2, odds=odds)
        await house.run()

    run_virtually(main())
    return url
