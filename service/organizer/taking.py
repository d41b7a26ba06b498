"""Takes up a claimed job: replays its journal, and gives the run that goes on with it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import ParamSpec, TypeVar

from anabranch.dag import events as e
from anabranch.dag.analysis.metrics import Metrics
from anabranch.dag.ids import JobId
from anabranch.dag.interpreter import Interpreter
from anabranch.dag.job import JobSpec
from anabranch.dag.journal.abandon import close_journal
from anabranch.dag.state import JobState, apply
from anabranch.service.organizer.job.context import JobContext
from anabranch.service.organizer.job.decisions import tell_cancel, tell_decisions
from anabranch.service.organizer.job.lost_decodes import end_lost_decodes
from anabranch.service.organizer.job.rerun import recall_of
from anabranch.service.organizer.job.resume import (
    CannotGoOn,
    Resumed,
    Resuming,
    last_progress,
    may_be_poison,
    refuse_poison,
    resume,
)
from anabranch.service.organizer.job.run import JobRun
from anabranch.service.organizer.left_jobs import LeftJobs
from anabranch.service.organizer.live import Live
from anabranch.service.organizer.mark import Mark, Place
from anabranch.service.organizer.rooms import Rooms
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.rows import Claim
from anabranch.service.store.store import Store
from anabranch.workers.checks.protocol import Checks
from anabranch.workers.pool.protocol import Pool

P = ParamSpec("P")
T = TypeVar("T")


class Taking:
    """What one organizer needs to take up jobs."""

    def __init__(
        self,
        store: Store,
        pool: Pool,
        checks: Checks,
        live: Live,
        left: LeftJobs,
        traces: Traces,
        *,
        name: str,
        now: Callable[[], float],
        mark: Mark,
    ) -> None:
        self._store = store
        self._pool = pool
        self._rooms = Rooms(pool)
        self._checks = checks
        self._live = live
        self._left = left
        self._traces = traces
        self._name = name
        self._now = now
        self._mark = mark
        self._replaying = asyncio.Lock()

    async def take_up(self, claim: Claim) -> JobRun:
        """Brings a job to where its journal ends, and sets going what stood still. Raises CannotGoOn if it ended."""
        self._traces.begin(claim)
        claimed = e.JobClaimed(owner=self._name, attempt=claim.attempt)
        try:
            resumed = await self._resume(claim)
            interpreter = resumed.interpreter
            recall = await recall_of(self._store.journal, _spec_of(interpreter))
        except CannotGoOn as refusal:
            await self._left.leave_to_others(refusal)
            state = await self._fold(claim)
            lost = await self._lost_decodes(claim.job, state)
            await self._append(claim, (claimed, *close_journal(state, lost, refusal.failed)), None)
            raise
        computing = partial(self._mark.computing, claim.job, claim.epoch)
        context = JobContext(
            pool=self._pool,
            rooms=self._rooms,
            checks=self._checks,
            append=partial(self._append, claim),
            texts=self._live.begin(claim.job, claim.epoch),
            now=self._now,
            recall=recall,
            computing=computing,
        )
        with computing():
            run = JobRun(claim.job, claim.trace_id, resumed, context)
        if claim.journal:
            tell_cancel(run, claim.cancel_requested)
            run.tell(claimed)
        else:
            await tell_decisions(self._store, run, claim.job, claim.cancel_requested)
            run.tell(claimed)
            for end in await self._lost_decodes(claim.job, interpreter.state):
                run.tell(end)
        run.resume(interpreter.owed())
        return run

    async def _resume(self, claim: Claim) -> Resumed:
        """The job where its journal ends. Raises CannotGoOn, UnreadableFormat and StoreAway."""
        if claim.journal:  # nothing was decided yet, and nobody can be suspected
            with self._mark.computing(claim.job, claim.epoch):
                return resume(claim.journal)
        await self._refuse_poison(claim.job)
        resuming: Resuming | None = None
        async for page in self._store.journal.pages(claim.job):
            resuming = resuming or Resuming(page[0])
            await self._compute(claim, resuming.add, page)
        assert resuming is not None, "a job is submitted with the first event of its journal"
        return await self._compute(claim, resuming.end)

    async def _refuse_poison(self, job: JobId) -> None:
        """Raises CannotGoOn for a job that is suspected too often since it last got anywhere, and StoreAway."""
        suspicions, progress = await self._store.suspicions.list_against(job), 0
        if may_be_poison(suspicions):
            async for page in self._store.journal.pages(job, suspicions[0].head_seq):
                progress = last_progress(page) or progress
            refuse_poison([each for each in suspicions if each.head_seq >= progress])

    async def _fold(self, claim: Claim) -> JobState:
        """The state alone, of a job whose policy is not to be run. Raises UnreadableFormat and StoreAway."""
        state = JobState()

        def add(page: Sequence[e.Record]) -> None:
            for record in page:
                apply(state, record.event)

        async for page in self._store.journal.pages(claim.job):
            await self._compute(claim, add, page)
        return state

    async def _compute(self, claim: Claim, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """In a thread, since the leases of other jobs must be kept; one at a time, so that the mark says which."""
        async with self._replaying:
            with self._mark.computing(claim.job, claim.epoch, Place.REPLAY):
                return await asyncio.to_thread(step, *args, **kwargs)

    async def _lost_decodes(self, job: JobId, state: JobState) -> list[e.SegmentFinished | e.HedgeLost]:
        """What an organizer that was lost was decoding ends with the text and the tokens that were kept of it. Raises
        StoreAway."""
        checkpoints = await self._store.checkpoints.read(job)
        told = await self._store.told_texts.read(job)
        return end_lost_decodes(state, checkpoints, told)

    async def _append(self, claim: Claim, events: Sequence[e.Event], metrics: Metrics | None) -> None:
        told = asdict(metrics) if metrics is not None else None
        records = await self._store.journal.append(claim.job, claim.epoch, events, told)
        self._traces.note(claim.job, records)
        last = records[-1]
        self._live.reached(claim.job, last.seq, over=isinstance(last.event, e.TERMINAL_OF_JOB))


def _spec_of(interpreter: Interpreter) -> JobSpec:
    spec = interpreter.state.spec
    assert spec is not None, "a journal begins with the job's submission"
    return spec
