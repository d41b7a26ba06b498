"""The next release comes, with another schema, while jobs come and go: as an operator rolls it out. Its head keeps its
memory in Redis."""

import asyncio
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.builds import Build, next_build
from tests.cluster.bed import Bed
from tests.cluster.clients import Clients
from tests.cluster.conftest import now
from tests.cluster.effects import attempts, owners
from tests.cluster.test_heads import lose_the_head
from tests.cluster.test_secrets import leaks

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
    assert attempts(journals.values()) == 1
    both = {worker.name for worker in (*old.workers, *bed.ray.workers)}
    assert owners(journals.values()) == both
    seconds = (now() - began).total_seconds()
    measured(f"rolling upgrade of all pods in {seconds:.0f} s: {len(given)} jobs meanwhile, all at attempt 1")


async def test_no_job_notices_a_head_that_kept_its_memory_in_redis(
    bed: Bed, clients: Clients, measured: Callable[[str], None]
) -> None:
    await lose_the_head(bed, clients, measured)


def test_the_older_cluster_has_ended_by_itself(bed: Bed) -> None:
    for pod in bed.leaving:
        pod.await_end(180)


async def test_no_secret_is_told_kept_or_logged_in_all_of_that(bed: Bed) -> None:
    """Ray's dashboard shows the command lines of its processes, so there is no password of Redis: heads show a
    certificate."""
    assert not await leaks(bed)


def test_redis_answers_whoever_shows_a_certificate_and_nobody_else(bed: Bed, tmp_path: Path) -> None:
    shown: list[str | Path] = []
    for path, text in bed.secrets.redis.client.items():
        file = tmp_path / Path(path).name
        file.write_text(text)
        flag = {"tls.crt": "--cert", "tls.key": "--key"}.get(file.name)
        shown += [flag, file] if flag else []
    ping = ("redis-cli", "-h", bed.redis.address, "--tls", "--insecure")
    answered, refused = (
        subprocess.run([*ping, *more, "PING"], capture_output=True, text=True, timeout=60, check=False)
        for more in (shown, [])
    )
    assert (answered.returncode, answered.stdout) == (0, "PONG\n")
    # How a connection ends that is refused is said in one of two ways, by which side was quicker.
    assert refused.returncode != 0 and "PONG" not in refused.stdout


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
