"""Claims jobs and keeps them, each in a JobRun of its own, until they end, park, or are taken away.

Leases and epochs
-----------------
* A *lease* says until when a job is in an organizer's hands, by the database's clock. It ends by itself, so that a lost
  organizer's jobs are claimed by the others.
* An *epoch* counts the claims of a job. Each append carries the epoch of its claim, and the store refuses those of an
  earlier one: an organizer that was paused, and does not know that its lease has ended, can write nothing. Leases make
  things go on; epochs keep them right.
* The event loop renews the leases itself. An organizer whose loop is held by a step loses them: it can do nothing for
  these jobs, and a thread that went on renewing would keep them from everybody for ever.
* A *turn*: in an upgrade to a new cluster the organizers of both live, and those of one take jobs (`turn.py`).
* An *attempt* is counted when a lease has ended, or the job broke its run. A job that is handed over has lost nothing.

Whose fault it was
------------------
An organizer that is lost had hundreds of jobs, of which it was computing one: that one is *suspected* (`mark.py` and
`guardian.py` tell how), all others are handed over at once, with no attempt counted. A job that is suspected too often
while it gets nowhere is poison and fails with the evidence (`resume.py`); no other job is ever blamed.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from anabranch.dag.ids import JobId
from anabranch.service.organizer.job.decisions import tell_decisions, time_out_approvals
from anabranch.service.organizer.job.held import HeldJob, Room, Strays, save_texts
from anabranch.service.organizer.job.resume import CannotGoOn
from anabranch.service.organizer.left_jobs import LEFT, LeftJobs
from anabranch.service.organizer.live import Live
from anabranch.service.organizer.mark import Mark
from anabranch.service.organizer.taking import Taking
from anabranch.service.organizer.traces import Traces
from anabranch.service.organizer.turn import Turn
from anabranch.service.store.errors import Fenced, JobEnded, StoreAway
from anabranch.service.store.jobs.submissions import Taker
from anabranch.service.store.jobs.suspicions import Loss
from anabranch.service.store.rows import Claim
from anabranch.service.store.store import Store
from anabranch.workers.checks.protocol import Checks
from anabranch.workers.pool.protocol import Pool, PoolLoad

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""How soon work is found that no nudge told of."""
PAUSE_SECONDS = 1.0
"""Before a job that broke here is claimed again, by whoever comes first; and between two looks at the approvals."""


class Organizer:
    """One process's share of the work. Any number of them may share a store."""

    def __init__(
        self,
        store: Store,
        pool: Pool,
        checks: Checks,
        traces: Traces,
        *,
        name: str,
        lease_seconds: float,
        max_jobs: int = 256,
        tenant_max_running: int | None = None,
        now: Callable[[], float] = time.time,
        mark: Mark | None = None,
        link_secret: str | None = None,
        turn: Turn | None = None,
    ) -> None:
        """`name` must be no other process's. `now` tells Unix seconds. `mark` is the one that a guardian reads."""
        self._store = store
        self._pool = pool
        self._traces = traces
        self._name = name
        self._lease = lease_seconds
        self.as_taker = Taker(owner=name, lease_seconds=lease_seconds)
        self._max_jobs = max_jobs
        self._fair = tenant_max_running is not None
        self._claim_jobs = partial(store.queue.claim, name, lease_seconds, most_of_tenant=tenant_max_running)
        self._now = now
        self._mark = mark or Mark.private()
        self._held: dict[JobId, HeldJob] = {}
        self._strays = Strays()
        self._kept_at = float("-inf")
        self._queue_is_empty = False
        """At the last look, and no word of more has come since."""
        self._turn = turn or Turn()
        self._left = LeftJobs(store.programs)
        self.live = Live(store.told_texts, self, link_secret)
        self._taking = Taking(
            store, pool, checks, self.live, self._left, traces, name=name, now=now, mark=self._mark
        )
        self._bells = (*(asyncio.Event() for _ in range(4)), self.live.text_came, asyncio.Event())
        """One for each errand of `run`, in its order."""
        self._draining = False
        self._stopped = asyncio.Event()

    def nudge(self, job: JobId | None = None) -> None:
        """There is something to claim, or something happened to a job that is held here: to this one, or to any."""
        keep, claim, *_ = self._bells
        if job is None or job in self._held:
            keep.set()
        if job is None or job not in self._held:
            self._queue_is_empty = False
            claim.set()

    def load(self) -> PoolLoad:
        return self._pool.load()

    @property
    def room_for_fresh(self) -> int:
        """Jobs that may be claimed here as they are submitted: none while others wait, whose turn is first, nor where
        tenants take turns."""
        idle = self._queue_is_empty and not (self._fair or self._turn.aside or self._draining)
        return Room(self._max_jobs, len(self._held)).at_once if idle and self._is_sure else 0

    @property
    def _is_sure(self) -> bool:
        """The last heartbeat is no older than a lease."""
        return asyncio.get_running_loop().time() - self._kept_at < self._lease

    async def run(self) -> None:
        """Until `drain`. Leases are kept beside the rest, so that no long look elsewhere lets them end."""
        errands = (
            (self._keep, self._lease / 4),
            (self._claim, min(POLL_SECONDS, self._lease / 4)),
            (self._checkpoint, POLL_SECONDS),
            (self._time_out_approvals, PAUSE_SECONDS),
            (self.live.store_texts, POLL_SECONDS),
            (self._traces.keep_ended, POLL_SECONDS),
        )
        try:
            async with asyncio.TaskGroup() as group:
                for (errand, every), bell in zip(errands, self._bells, strict=True):
                    group.create_task(self._repeat(errand, every, bell))
        finally:
            try:
                await self._hand_over()
                await self._keep_last_traces()
            finally:
                self._stopped.set()

    async def drain(self) -> None:
        """Hand over: text is checkpointed, decodes are stopped, leases are given back, so others go on at once."""
        self._draining = True
        for bell in self._bells:
            bell.set()
        await self._stopped.wait()

    async def _repeat(self, errand: Callable[[], Awaitable[None]], every: float, bell: asyncio.Event) -> None:
        """Do the errand every so many seconds, and when the bell rings."""
        while not self._draining:
            bell.clear()
            try:
                await errand()
            except StoreAway as error:
                logger.warning("the store is away, accepted jobs wait: %s", error)
                await asyncio.sleep(every)
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await bell.wait()

    async def _hand_over(self) -> None:
        self._draining = True
        await self._let_go()
        with suppress(StoreAway):  # or it is believed to live until its lease ends
            await self._store.organizers.remove(self._name)

    async def _keep_last_traces(self) -> None:
        try:
            await self._traces.keep_ended()
        except StoreAway as error:
            logger.warning("the last traces are not kept; the journals still tell all: %s", error)

    async def _let_go(self) -> None:
        """Gives all jobs back, with what they have written until now."""
        held = tuple(self._held.values())
        try:
            await save_texts(self._store.checkpoints, self._held, everything=True)
        except StoreAway as error:
            logger.warning("text since the last checkpoints will be decoded again: %s", error)
        for each in held:
            each.drop()
        await asyncio.gather(*(each.task for each in held if each.task is not None), return_exceptions=True)
        for each in held:
            if self._held.get(each.claim.job) is each:  # it had not begun
                await self._give_back(each, 0.0)

    # -- claiming and keeping -----------------------------------------------------------------------------

    async def _claim(self) -> None:
        """Take what there is room for. Who cannot keep what it has takes nothing more."""
        room = Room(self._max_jobs, len(self._held))
        if self._turn.aside or room.at_once <= 0 or (self._held and not self._is_sure):
            self._queue_is_empty = False
            return
        claims = await self._claim_jobs(room.at_once, left=self._left.current(), batches=room.for_batches)
        self._queue_is_empty = len(claims) < room.at_once
        if not self._queue_is_empty:
            self._bells[1].set()  # there may be more
        for claim in claims:
            self.take(claim)

    def take(self, claim: Claim) -> None:
        """Works on a job that was claimed for this organizer; who hands over does not begin it, and gives it back with
        the rest."""
        if (earlier := self._held.get(claim.job)) is not None:
            earlier.drop()
        held = self._held[claim.job] = HeldJob(claim)
        if not self._draining:
            held.task = asyncio.create_task(self._work(held), name=f"job {claim.job}")

    async def _keep(self) -> None:
        """Extend the leases, and hear what happened to the jobs that are held."""
        held_then = tuple(self._held.items())
        presence = self._turn.presence(self.live.address, self.load())
        known = await self._store.queue.heartbeat(self._name, self._lease, presence)
        self._kept_at = asyncio.get_running_loop().time()
        for job, held in held_then:
            news = known.get(job)
            if news is None or news.epoch != held.claim.epoch:
                if held.run is None or not held.run.over:
                    held.drop()  # another organizer has it: nothing that is done here counts any more
            elif news.woken and held.run is not None:
                await tell_decisions(self._store, held.run, job, news.cancel_requested)
        await self._strays.free(self._store.queue, known, self._held)
        if await self._turn.look(self._store.organizers):
            self.nudge()
        if self._turn.aside:
            await self._let_go()

    async def _time_out_approvals(self) -> None:
        if await time_out_approvals(self._store, datetime.fromtimestamp(self._now(), UTC)):
            self.nudge()

    async def _checkpoint(self) -> None:
        await save_texts(self._store.checkpoints, self._held, everything=False)

    async def _work(self, held: HeldJob) -> None:
        """Run a job; whatever stops it, the store knows who goes on, and when."""
        job, after, broke = held.claim.job, None, False
        try:
            held.run = await self._taking.take_up(held.claim)
            await held.run.run()
            if held.run.over:
                return self._end(held)
            after = held.run.due_in
        except LEFT as error:
            self._left.add(job, error)
            after = 0.0
        except CannotGoOn as refusal:
            logger.warning("job %s ends here: %s", job, refusal)
        except (Fenced, JobEnded) as error:
            logger.info("job %s goes on elsewhere: %s", job, error)
        except StoreAway as error:
            logger.warning("job %s waits for the store: %s", job, error)
            after = 0.0
        except asyncio.CancelledError:
            logger.info("job %s is handed over", job)
            after = 0.0
        except Exception:
            logger.exception("job %s broke here; it is taken up again from its journal", job)
            after, broke = PAUSE_SECONDS, True
        giving = asyncio.create_task(self._give_back(held, after, broke=broke))
        with suppress(asyncio.CancelledError):
            await asyncio.shield(giving)
        return await giving  # or the job would wait for the end of its lease, and an attempt be counted

    def _end(self, held: HeldJob) -> None:
        """A job has ended, and its last commit gave the lease back: nothing more is written before the next one."""
        self._traces.add(held.claim.job)
        waited_for = self._fair or not Room(self._max_jobs, len(self._held)).for_batches
        self._drop(held)
        if waited_for:
            self._bells[1].set()

    async def _give_back(self, held: HeldJob, after: float | None, *, broke: bool = False) -> None:
        claim = held.claim
        try:
            if broke:
                await self._store.suspicions.record(claim.job, claim.epoch, Loss.BROKE)
            await self._store.queue.release(claim.job, claim.epoch, after, broke=broke)
        except StoreAway as error:
            logger.warning("job %s is given back later, or when its lease ends: %s", claim.job, error)
        finally:
            self._traces.forget(claim.job)
            self._drop(held)
            self._bells[1].set()

    def _drop(self, held: HeldJob) -> None:
        """It is in no hands here any more."""
        claim = held.claim
        self.live.end(claim.job, claim.epoch)
        if self._held.get(claim.job) is held:
            del self._held[claim.job]
