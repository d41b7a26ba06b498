"""One job ruins every organizer that computes it; twenty bystanders do not suffer for it."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import pytest
from tests.service.organizer import poison
from tests.service.organizer.conftest import House

from anabranch.dag import events as e
from anabranch.dag.policy import _CATALOGUE, catalogue
from anabranch.service.organizer.job.resume import LOST_BEFORE_PARKING
from anabranch.service.store.jobs.suspicions import Loss

pytestmark = pytest.mark.chaos

BYSTANDERS = 20


@pytest.fixture(autouse=True)
def catalogued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anabranch.dag.policy._CATALOGUE", dict(catalogue()))
    poison.enter()
    assert "poison" not in _CATALOGUE  # that of all other tests


@asynccontextmanager
async def supervised(house: House) -> AsyncIterator[list[int]]:
    """An organizer in a process of its own, and the next one as soon as it has ended, as Serve would do it. Gives the
    exit codes so far."""
    ends: list[int] = []
    running: list[asyncio.subprocess.Process] = []

    async def keep_going() -> None:
        for number in count(1):
            arguments = [
                sys.executable,
                poison.__file__,
                str(house.store.database.url),
                f"organizer {number}",
            ]
            running[:] = [await asyncio.create_subprocess_exec(*arguments)]
            ends.append(await running[0].wait())

    supervisor = asyncio.create_task(keep_going())
    try:
        yield ends
    finally:
        supervisor.cancel()
        for process in running:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


@pytest.mark.parametrize("how", ["kills", "holds"])
async def test_real_processes_are_ruined_by_one_job_and_all_others_succeed(house: House, how: str) -> None:
    culprit = await house.submit("poison", {"how": how})
    others = [await house.submit("self-consistency", {"n": 2, "stop": "all"}) for _ in range(BYSTANDERS)]
    async with asyncio.timeout(200), supervised(house) as ends:
        failed = await house.ended(culprit, seconds=200)
        rows = [await house.ended(job, seconds=60) for job in others]
    assert failed.error is not None
    assert failed.error["type"] == "poison"
    assert f"It got nowhere {LOST_BEFORE_PARKING} times" in failed.error["detail"]
    assert {(row.status, row.attempt <= 2) for row in rows} == {("succeeded", True)}
    assert ends[:LOST_BEFORE_PARKING] == [-signal.SIGKILL] * LOST_BEFORE_PARKING
    reason = Loss.ENDED if how == "kills" else Loss.HELD
    assert {each.reason for each in await house.store.suspicions.list_against(culprit)} == {reason}
    for job in others:
        assert await house.store.suspicions.list_against(job) == []
        assert (await house.store.maintenance.audit(job)).sound
    assert not [event for event in await house.events(culprit) if isinstance(event, e.AnswerCommitted)]
