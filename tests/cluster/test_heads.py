"""The head dies and stays away for half a minute: with its memory kept, no job notices."""

import asyncio
from collections.abc import Callable

import pytest
from tests.cluster.bed import Bed
from tests.cluster.clients import Clients
from tests.cluster.conftest import now
from tests.cluster.effects import effects, tried_again

pytestmark = pytest.mark.cluster

AWAY_SECONDS = 30.0


async def test_no_job_notices_a_head_that_kept_its_memory_in_rocksdb(
    bed: Bed, clients: Clients, measured: Callable[[str], None]
) -> None:
    await lose_the_head(bed, clients, measured)


async def lose_the_head(bed: Bed, clients: Clients, measured: Callable[[str], None]) -> None:
    """Jobs that run, and jobs that come meanwhile, are answered at the first attempt; all replicas stay."""
    processes = _processes(bed)
    given = await clients.submit(4, "long")
    await clients.await_decoding(given)
    at = now()
    bed.ray.head.kill()
    loop = asyncio.get_running_loop()
    back = loop.time() + AWAY_SECONDS
    meanwhile = await clients.submit(4, "steady")
    await clients.await_ended(meanwhile)
    given += meanwhile
    await asyncio.sleep(back - loop.time())
    bed.ray.head.start()
    bed.ray.await_head()
    bed.ray.await_running()
    whole = (now() - at).total_seconds() - AWAY_SECONDS
    given += await clients.submit(4, "brief")
    await clients.await_ended(given)
    journals = await clients.check(given)
    assert not tried_again(journals)
    assert not effects(journals, at)
    assert _processes(bed) == processes
    measured(
        f"head ({bed.storage}) away {AWAY_SECONDS:.0f} s: no job hit, Serve whole {whole:.1f} s after it is back"
    )


def _processes(bed: Bed) -> set[tuple[str, int]]:
    return {(one["actor_id"], one["pid"]) for each in bed.ray.replicas().values() for one in each}
