"""The next release comes, with another schema, while jobs come and go: as an operator rolls it out. Its head keeps its
memory in Redis."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.builds import Build, next_build
from tests.cluster.bed import Bed
from tests.cluster.clients import Clients
from tests.cluster.conftest import now
from tests.cluster.effects import owners, tried_again
from tests.cluster.test_heads import lose_the_head

from anabranch.dag.ids import JobId

pytestmark = pytest.mark.cluster

EVERY_SECONDS = 1.0


async def test_the_next_release_takes_over_under_load(
    bed: Bed, clients: Clients, measured: Callable[[str], None], tmp_path: Path
) -> None:
    build = next_build(tmp_path)
    given: list[JobId] = []
    enough = asyncio.Event()
    coming = asyncio.create_task(_keep_coming(clients, given, enough))
    began, old = now(), bed.ray
    try:
        await asyncio.to_thread(_roll_out, bed, build)
        await clients.await_left(old.workers)
    finally:
        enough.set()
        await coming
    bed.leaving = old.pods
    for pod in bed.leaving:  # as the operator deletes a cluster
        pod.terminate()
    await clients.await_ended(given)
    journals = await clients.check(given)
    assert not tried_again(journals)
    both = {worker.name for worker in (*old.workers, *bed.ray.workers)}
    assert owners(journals.values()) == both
    seconds = (now() - began).total_seconds()
    measured(f"rolling upgrade of all pods in {seconds:.0f} s: {len(given)} jobs meanwhile, all at attempt 1")


async def test_no_job_notices_a_head_that_kept_its_memory_in_redis(
    bed: Bed, clients: Clients, measured: Callable[[str], None]
) -> None:
    await lose_the_head(bed, clients, measured)


def _roll_out(bed: Bed, build: Build) -> None:
    """The schema first; then a new Ray cluster beside the old one; then REST, pod by pod."""
    assert "applied" in build.run("db", "upgrade", ANABRANCH_DATABASE=bed.database)
    bed.build, bed.storage = {"PYTHONPATH": str(build.folder)}, "redis"
    new = bed.make_ray(bed.storage, "b")
    new.start()
    new.await_ready()
    new.put(bed.manifest.serve_config)
    new.await_running()
    bed.ray = new
    for nth, old in enumerate(bed.apis):
        old.terminate()
        old.await_end(120)
        api = bed.make_api(old.name)
        api.start()
        bed.await_api(api)
        bed.apis = (*bed.apis[:nth], api, *bed.apis[nth + 1 :])


async def _keep_coming(clients: Clients, given: list[JobId], enough: asyncio.Event) -> None:
    while not enough.is_set():
        given += await clients.submit(1, "steady")
        with suppress(TimeoutError):
            await asyncio.wait_for(enough.wait(), EVERY_SECONDS)
