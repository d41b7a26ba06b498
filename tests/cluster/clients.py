"""Those who use the service while parts of it break: they submit by either API, with a key, until they are answered."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

import httpx
from sqlalchemy import func, or_, select
from tests.chaos.invariants import violations
from tests.cluster.pod import Pod

from anabranch.dag import events as e
from anabranch.dag.ids import JobId
from anabranch.service.store.sql.tables import jobs
from anabranch.service.store.store import Store

PATIENCE = 300.0
"""Seconds for jobs that take a few: who is not done by then, hangs."""


LATER = (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS)
"""Answers that ask to come again."""


@dataclass(slots=True)
class Clients:
    """All who submit in one session: what they asked for, and what they were given."""

    database: str
    urls: Sequence[str]
    jobs: list[JobId] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    async def submit(self, many: int, question: str, **wish: Any) -> list[JobId]:
        """So many jobs at once, by all APIs in turn. Each is asked for again until there is an answer."""
        policy = {"policy": {"name": "sequential"}}
        asked = [
            (number, {"question": f"{question} {number}", **policy, **wish})
            for number in islice(self._numbers, many)
        ]
        async with httpx.AsyncClient(timeout=10) as http:
            given = await asyncio.gather(*(self._insist(http, *one) for one in asked))
        self.jobs += given
        return given

    async def _insist(self, http: httpx.AsyncClient, number: int, body: dict[str, Any]) -> JobId:
        key = {"Idempotency-Key": f"key-{number}"}
        for nth in count(number):
            url = self.urls[nth % len(self.urls)]
            with suppress(httpx.TransportError):
                answer = await http.post(f"{url}/v1/jobs", json=body, headers=key)
                if answer.status_code not in LATER:
                    return JobId(answer.raise_for_status().json()["id"])
            await asyncio.sleep(0.3)
        raise AssertionError("there is no API")

    async def await_decoding(self, given: Sequence[JobId]) -> None:
        """Until each of them has a segment open."""
        async with Store(self.database) as store, asyncio.timeout(PATIENCE):
            for job in given:
                while not any(
                    isinstance(one.event, e.SegmentStarted) for one in await store.journal.read(job)
                ):
                    await asyncio.sleep(0.1)

    async def await_ended(self, given: Sequence[JobId]) -> None:
        """Raises AssertionError, with how far they are that hang."""
        async with Store(self.database) as store:
            for job in given:
                try:
                    async with asyncio.timeout(PATIENCE):
                        while (await store.jobs.get(job)).finished_at is None:
                            await asyncio.sleep(0.2)
                except TimeoutError:
                    raise AssertionError("\n".join(await self._tails(store, given))) from None

    async def _tails(self, store: Store, given: Sequence[JobId]) -> list[str]:
        """The last events of those that have not ended, one job a line."""
        rows = [await store.jobs.get(job) for job in given]
        open_jobs = [row.id for row in rows if row.finished_at is None]
        tails = [(job, (await store.journal.read(job))[-4:]) for job in open_jobs]
        return [
            f"{job}: " + "; ".join(f"{one.at:%H:%M:%S} {one.event}" for one in tail) for job, tail in tails
        ]

    async def await_left(self, pods: Sequence[Pod]) -> None:
        """Until no organizer in these pods has a job."""
        theirs = or_(*(jobs.c.lease_owner.like(f"{pod.name}/%") for pod in pods))
        held = select(func.count()).where(jobs.c.finished_at.is_(None), theirs)
        async with Store(self.database) as store, asyncio.timeout(PATIENCE):
            while await store.database.read(lambda connection: connection.execute(held).scalar_one()):
                await asyncio.sleep(0.2)

    async def records(self, given: Sequence[JobId]) -> dict[JobId, Sequence[e.Record]]:
        async with Store(self.database) as store:
            return {job: await store.journal.read(job) for job in given}

    async def check(self, given: Sequence[JobId]) -> dict[JobId, Sequence[e.Record]]:
        """All of them have succeeded, with no promise broken, and none was made twice. Returns their journals."""
        records = await self.records(given)
        failed = [
            job for job, journal in records.items() if not isinstance(journal[-1].event, e.JobSucceeded)
        ]
        assert not failed, f"not succeeded: {failed}"
        assert not await violations(self.database, given)
        async with Store(self.database) as store:
            stored = await store.database.read(
                lambda connection: connection.execute(select(func.count(jobs.c.id))).scalar_one()
            )
        assert stored == len(self.jobs) == len(set(self.jobs)), "a key made more than one job, or none"
        return records
