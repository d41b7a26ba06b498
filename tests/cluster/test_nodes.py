"""Machines that go: killed, cut off, or told to end. Their jobs go on elsewhere."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest
from tests.cluster.bed import Bed
from tests.cluster.clients import Clients
from tests.cluster.conftest import now
from tests.cluster.effects import effects, owners, tried_again
from tests.cluster.pod import Pod

from anabranch.dag.ids import JobId

pytestmark = pytest.mark.cluster

WISHES = (
    {"policy": {"name": "sequential"}},
    {"policy": {"name": "self-consistency", "params": {"n": 2, "stop": "all"}}},
)


async def test_jobs_of_a_killed_worker_go_on_elsewhere(
    bed: Bed, clients: Clients, measured: Callable[[str], None]
) -> None:
    lost = bed.ray.workers[0]
    given = await _under_way(clients, 16)
    at = now()
    lost.kill()
    await clients.await_ended(given)
    measured(await _told("worker killed", clients, given, at))
    await _come_back(bed, lost)


async def test_jobs_of_a_worker_that_is_cut_off_go_on_elsewhere(
    bed: Bed, clients: Clients, measured: Callable[[str], None]
) -> None:
    lost = bed.ray.workers[1]
    given = await _under_way(clients, 16)
    at = now()
    bed.network.cut(lost.name)
    await clients.await_ended(given)
    measured(await _told("link down", clients, given, at))
    bed.network.mend(lost.name)
    lost.kill()  # as its probe would: Ray lets nobody back in whom it has declared dead
    await _come_back(bed, lost)


async def test_a_worker_that_is_told_to_end_hands_its_jobs_over(
    bed: Bed, clients: Clients, measured: Callable[[str], None]
) -> None:
    leaving, successor = bed.ray.workers[0], bed.make_worker("worker-3")
    given = await _under_way(clients, 16)
    at = now()
    leaving.terminate()
    bed.ray.workers[0] = successor
    successor.start()
    await asyncio.to_thread(leaving.await_end, 180)
    gone = (now() - at).total_seconds()
    await clients.await_ended(given)
    journals = await clients.check(given)
    assert not tried_again(journals)
    assert leaving.name in owners(journals.values())
    hit = effects(journals, at)
    measured(f"{_figures('worker told to end', hit)}; gone after {gone:.1f} s")
    bed.ray.await_worker(successor)
    bed.ray.await_running()


async def _under_way(clients: Clients, many: int) -> list[JobId]:
    given = [job for wish in WISHES for job in await clients.submit(many // len(WISHES), "steady", **wish)]
    await clients.await_decoding(given)
    return given


async def _told(fault: str, clients: Clients, given: list[JobId], at: datetime) -> str:
    done = now() - at
    journals = await clients.check(given)
    hit = effects(journals, at)
    assert hit, "it hit nobody"
    return f"{_figures(fault, hit)}; all done after {done.total_seconds():.1f} s"


def _figures(fault: str, hit: list[float]) -> str:
    told = f"median {hit[len(hit) // 2]:.1f} s, longest {hit[-1]:.1f} s" if hit else "none"
    return f"{fault}: {len(hit)} jobs hit, to their next event {told}"


async def _come_back(bed: Bed, worker: Pod) -> None:
    worker.start()
    bed.ray.await_worker(worker)
    bed.ray.await_running()
