"""A pool scales: it wakes for those who ask, grows with them, and sleeps again. Meanwhile the older cluster ends, which
`test_withdrawn.py` waits for."""

from collections.abc import Callable

import pytest
from tests.cluster.bed import Bed
from tests.cluster.clients import Clients
from tests.cluster.conftest import now
from tests.cluster.effects import tried_again
from tests.cluster.waiting import await_true

pytestmark = pytest.mark.cluster

POOL = "pool-sleeper"
WANTED = 4
"""Decodes at once: more than one replica of four is asked for, at 0.7 of it."""


async def test_a_pool_goes_from_nothing_to_two_replicas_and_back(
    bed: Bed, clients: Clients, measured: Callable[[str], None]
) -> None:
    assert _running(bed) == 0
    began = now()
    given = await clients.submit(WANTED, "long", model="sleeper")
    await_true("a first replica runs", lambda: _running(bed) >= 1)
    first = (now() - began).total_seconds()
    await_true("two replicas run", lambda: _running(bed) == 2)
    await clients.await_ended(given)
    ended = now()
    assert not tried_again(await clients.check(given))
    await_true("no replica is left", lambda: _running(bed) == 0)
    gone = (now() - ended).total_seconds()
    measured(f"pool from nothing: a replica after {first:.1f} s; to nothing: {gone:.1f} s after the last job")


def _running(bed: Bed) -> int:
    return sum(one["state"] == "RUNNING" for one in bed.ray.replicas()[POOL])
