"""What a client of a service does, told to its store: submit a job, wait until it is somewhere, read what happened."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from anabranch.dag import events as e
from anabranch.dag.ids import JobId
from anabranch.dag.job import Budget, JobSpec
from anabranch.dag.policy import policy_named
from anabranch.dag.text import say
from anabranch.service.store.rows import JobRow, NewJob
from anabranch.service.store.store import Store


class Client:
    """Asks one store. `pause` and `patience` are seconds of the loop's clock, which may be virtual."""

    def __init__(self, store: Store, *, pause: float = 0.01, patience: float = 20.0) -> None:
        self.store = store
        self._pause, self._patience = pause, patience

    async def submit(self, policy: str, params: Mapping[str, Any] | None = None, **rest: Any) -> JobId:
        """A job of this policy; `budget` and `approvals` go into its spec, all else beside it."""
        spec = JobSpec(
            messages=(say("user", "What is six times seven?"),),
            policy=policy,
            params=params or {},
            seed=7,
            budget=rest.pop("budget", Budget()),
            approvals=rest.pop("approvals", ()),
        )
        return await self.submit_spec(spec, **rest)

    async def submit_spec(self, spec: JobSpec, **rest: Any) -> JobId:
        version = policy_named(spec.policy).version
        new = NewJob(spec=spec, policy_version=version, trace_id="a" * 32, **rest)
        return (await self.store.jobs.submit(new)).job.id

    async def until(
        self, job: JobId, there: Callable[[JobRow], bool], *, seconds: float | None = None
    ) -> JobRow:
        async with asyncio.timeout(self._patience if seconds is None else seconds):
            while not there(row := await self.store.jobs.get(job)):
                await asyncio.sleep(self._pause)
        return row

    async def ended(self, job: JobId, *, seconds: float | None = None) -> JobRow:
        return await self.until(job, lambda row: row.finished_at is not None, seconds=seconds)

    async def events(self, job: JobId) -> list[e.Event]:
        return [record.event for record in await self.store.journal.read(job)]
