"""The real pool: what `test_local.py` asks, over Ray Serve, and what only several replicas can show."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from tests.ray_cluster import LOGICAL_GPUS
from tests.workers.conftest import Listener, RequestFor, fault_in

from anabranch.dag.decoding import Finish
from anabranch.workers.engines.script import script_of
from anabranch.workers.engines.scripted import ScriptedSettings
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.deployment import worker_pool
from anabranch.workers.pool.serve import ServePool
from anabranch.workers.pool.status import pool_status
from anabranch.workers.settings import PoolSettings

pytestmark = [pytest.mark.ray, pytest.mark.asyncio(loop_scope="session")]

SCRIPT = script_of(
    {
        "rules": [
            {"matches": "for ever", "text": "again " * 100_000},
            {"matches": "die", "text": "last words of a process", "dies": True, "after": 2},
            {"text": "one two three"},
        ]
    }
)
ENGINE = ScriptedSettings(script=SCRIPT, tokens_per_second=200.0)
_numbers = itertools.count()


class OpenPool(Protocol):
    async def __call__(self, settings: PoolSettings, *, reachable: int | None = None) -> ServePool: ...


def settings_for(replicas: int, **rest: Any) -> PoolSettings:
    return PoolSettings(engine=ENGINE, replicas=replicas, max_decodes=64, **rest)


async def until(condition: Callable[[], bool]) -> None:
    """What Serve does by itself tells no one when it is done."""
    async with asyncio.timeout(150):
        while not condition():
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture(loop_scope="session")
async def open_pool(cluster: None) -> AsyncIterator[OpenPool]:
    """Deploys a pool and waits until its replicas can be reached; gone after the test."""
    from ray import serve

    opened: list[tuple[ServePool, str]] = []

    async def open_pool(settings: PoolSettings, *, reachable: int | None = None) -> ServePool:
        app = f"test-{next(_numbers)}"
        pool = ServePool(app)
        opened.append((pool, app))
        bound = worker_pool(settings, lambda: settings, app=app)
        target = serve.RunTarget(bound, name=app, route_prefix=None)
        serve.run_many(
            [target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False
        )
        await until(lambda: pool.load().replicas == (settings.replicas if reachable is None else reachable))
        return pool

    yield open_pool
    for pool, app in opened:
        await pool.close()
        await asyncio.to_thread(serve.delete, app)


def forever(request_for: RequestFor, *branches: str) -> list[DecodeRequest]:
    return [request_for(branch, prompt="for ever", max_tokens=10**6) for branch in branches]


async def test_sixteen_requests_to_two_replicas_are_two_calls(
    open_pool: OpenPool, listener: Listener, request_for: RequestFor
) -> None:
    pool = await open_pool(settings_for(2))
    requests = [request_for(f"0.{n}") for n in range(1, 17)]
    pool.start(requests, listener)
    assert pool.load().decoding == 16
    ends = await listener.all_end(requests)

    for key, end in ends.items():
        assert (end.decoded.text, end.decoded.finish) == ("one two three", Finish.EOS)
        assert (end.decoded.engine, end.decoded.usage.completion_tokens) == ("scripted", 3)
        assert listener.text(key) == "one two three"
    states = await pool.describe()
    assert [state.calls for state in states] == [1, 1]
    assert {end.decoded.replica for end in ends.values()} == {state.replica for state in states}
    load = pool.load()
    assert (load.replicas, load.decoding, load.capacity) == (2, 0, 128)


async def test_aborting_five_of_eight_in_one_stream(
    open_pool: OpenPool, listener: Listener, request_for: RequestFor
) -> None:
    pool = await open_pool(settings_for(1))
    requests = forever(request_for, *(f"0.{n}" for n in range(1, 9)))
    aborted, kept = requests[:5], requests[5:]
    pool.start(requests, listener)
    await listener.until(lambda: all(listener.text(request.key) for request in requests))
    pool.abort([request.key for request in aborted])
    await listener.until(lambda: len(listener.ends()) == 5)

    for request in aborted:
        decoded = listener.ends()[request.key].decoded
        assert decoded.finish is Finish.ABORT
        assert decoded.usage.completion_tokens == len(decoded.text.split()) > 0
        assert listener.text(request.key) == decoded.text
    (state,) = await pool.describe()
    assert (state.calls, state.decoding) == (1, 3)
    pool.abort([request.key for request in kept])
    await listener.all_end(requests)


async def test_an_abort_sent_along_with_the_start_is_not_lost(
    open_pool: OpenPool, listener: Listener, request_for: RequestFor
) -> None:
    pool = await open_pool(settings_for(1))
    requests = forever(request_for, "0.1", "0.2")
    pool.start(requests, listener)
    pool.abort([request.key for request in requests])
    ends = await listener.all_end(requests)

    assert {end.decoded.finish for end in ends.values()} == {Finish.ABORT}


def ended(listener: Listener, count: int) -> bool:
    return len(listener.ends()) == count


async def test_a_prefix_stays_on_its_replica(
    open_pool: OpenPool, listener: Listener, request_for: RequestFor
) -> None:
    pool = await open_pool(settings_for(2))
    for n in range(1, 4):
        pool.start([request_for(f"0.{n}", affinity="job-1")], listener)
        await listener.until(partial(ended, listener, n))

    assert len({end.decoded.replica for end in listener.ends().values()}) == 1


async def test_a_call_whose_replica_has_gone_lands_on_another_and_is_aborted_there(
    open_pool: OpenPool, listener: Listener, request_for: RequestFor
) -> None:
    pool = await open_pool(settings_for(1))
    pool._learn({"gone": 64})
    requests = forever(request_for, "0.1")
    pool.start(requests, listener)
    await listener.until(lambda: bool(listener.text(requests[0].key)))
    pool.abort([requests[0].key])
    (end,) = (await listener.all_end(requests)).values()

    (state,) = await pool.describe()
    assert (end.decoded.finish, end.decoded.replica) == (Finish.ABORT, state.replica)


def replica_processes(app: str) -> list[int]:
    """Process ids of the replicas of an application: Ray names its processes."""
    title = f"ray::ServeReplica:{app}:"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_text().startswith(title):
                found.append(int(folder.name))
        except OSError:  # it ended while we looked
            continue
    return found


async def test_killing_a_replica_ends_its_decodes_and_another_takes_its_place(
    open_pool: OpenPool, listener: Listener, request_for: RequestFor
) -> None:
    pool = await open_pool(settings_for(2))
    before = {state.replica for state in await pool.describe()}
    requests = forever(request_for, "0.1", "0.2", "0.3", "0.4")
    pool.start(requests, listener)
    await listener.until(lambda: all(listener.text(request.key) for request in requests))
    victim, *_ = replica_processes(pool.app)
    os.kill(victim, signal.SIGKILL)
    await listener.until(lambda: len(listener.ends()) == 2)

    lost = listener.ends()
    for key, end in lost.items():
        decoded = end.decoded
        assert (decoded.finish, fault_in(decoded).cause, fault_in(decoded).retryable) == (
            Finish.ERROR,
            "replica-died",
            True,
        )
        assert decoded.text == listener.text(key)
        assert decoded.usage.completion_tokens == len(decoded.text.split()) > 0
    (dead,) = {end.decoded.replica for end in lost.values()}
    pool.abort([request.key for request in requests])
    await listener.all_end(requests)

    retries = [request_for(f"0.{n}", segment=1) for n in range(1, 9)]
    pool.start(retries, listener)
    await listener.until(lambda: len(listener.ends()) == len(requests) + len(retries))
    assert {listener.ends()[request.key].decoded.finish for request in retries} == {Finish.EOS}

    await until(lambda: dead not in pool.replicas and pool.load().replicas == 2)
    after = {state.replica for state in await pool.describe()}
    assert len(after & before) == 1
    pool.start([request_for(f"0.{n}", segment=2) for n in range(1, 9)], listener)
    await listener.until(lambda: len(listener.ends()) == len(requests) + 2 * len(retries))
    served = {end.decoded.replica for end in listener.ends().values() if end.key.segment == 2}
    assert served == after


async def test_a_replica_that_stands_still_is_given_up_long_before_serve_replaces_it(
    open_pool: OpenPool, listener: Listener, request_for: RequestFor
) -> None:
    """SIGSTOP: the process is alive, its connections are open, and nothing comes."""
    pool = await open_pool(settings_for(2))
    requests = forever(request_for, "0.1", "0.2", "0.3", "0.4")
    pool.start(requests, listener)
    await listener.until(lambda: all(listener.text(request.key) for request in requests))
    victim, *_ = replica_processes(pool.app)
    os.kill(victim, signal.SIGSTOP)
    try:
        await listener.until(lambda: len(listener.ends()) == 2)
        for key, end in listener.ends().items():
            assert (fault_in(end.decoded).cause, fault_in(end.decoded).retryable) == ("replica-died", True)
            assert "gave no sign of life for 5 s" in fault_in(end.decoded).detail
            assert end.decoded.text == listener.text(key)
        (silent,) = {end.decoded.replica for end in listener.ends().values()}
        again = [request_for(f"0.{n}", segment=1) for n in range(1, 9)]
        pool.start(again, listener)
        await listener.until(lambda: len(listener.ends()) == 2 + len(again))
        assert silent not in {listener.ends()[request.key].decoded.replica for request in again}
    finally:
        os.kill(victim, signal.SIGKILL)
    pool.abort([request.key for request in requests])
    await listener.until(lambda: len(listener.ends()) == len(requests) + len(again))


async def test_a_pool_without_replicas_waits_and_then_decodes(
    open_pool: OpenPool, listener: Listener, request_for: RequestFor
) -> None:
    pool = await open_pool(settings_for(1))
    await listener_dies(pool, listener, request_for)
    assert pool.load().replicas == 0

    requests = [request_for("0.2"), request_for("0.3"), request_for("0.4")]
    pool.start(requests, listener)
    pool.abort([requests[2].key])
    assert pool.load().decoding == 2
    assert listener.ends()[requests[2].key].decoded.finish is Finish.ABORT
    await listener.until(lambda: {request.key for request in requests} <= listener.ends().keys())

    assert {listener.ends()[request.key].decoded.finish for request in requests[:2]} == {Finish.EOS}


async def listener_dies(pool: ServePool, listener: Listener, request_for: RequestFor) -> None:
    request = request_for("0.1", prompt="die")
    pool.start([request], listener)
    ended = await listener.all_end([request])
    assert fault_in(ended[request.key].decoded).cause == "replica-died"
    await until(lambda: pool.load().replicas == 0)


async def test_a_pool_that_closes_frees_the_replicas(
    open_pool: OpenPool, listener: Listener, request_for: RequestFor
) -> None:
    watching = await open_pool(settings_for(1))
    leaving = ServePool(watching.app)
    await until(lambda: leaving.load().replicas == 1)
    requests = forever(request_for, "0.1", "0.2")
    leaving.start(requests, listener)
    await listener.until(lambda: all(listener.text(request.key) for request in requests))
    await leaving.close()

    async with asyncio.timeout(150):
        while any(state.decoding for state in await watching.describe()):
            await asyncio.sleep(0.05)
    assert not listener.ends()


async def test_with_four_gpus_the_fifth_replica_waits_and_says_so(
    open_pool: OpenPool, listener: Listener, request_for: RequestFor
) -> None:
    settings = settings_for(LOGICAL_GPUS + 1, gpus_per_replica=1)
    pool = await open_pool(settings, reachable=LOGICAL_GPUS)
    status = await asyncio.to_thread(pool_status, settings, app=pool.app)

    assert (status.running, status.wanted) == (4, 5)
    assert "1 waiting for a GPU" in status.words
    requests = [request_for(f"0.{n}") for n in range(1, 41)]
    pool.start(requests, listener)
    ends = await listener.all_end(requests)
    assert len({end.decoded.replica for end in ends.values()}) == LOGICAL_GPUS


def descendants(of: int) -> set[int]:
    """Process ids of all that a process started, and what that started."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        children.setdefault(int(parent), []).append(int(folder.name))
    found: set[int] = set()
    waiting = [of]
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += children.get(pid, [])
    return found


async def test_everything_listens_on_loopback_only(open_pool: OpenPool) -> None:
    await open_pool(settings_for(2))
    ours = descendants(os.getpid())
    ss = await asyncio.create_subprocess_exec("ss", "-ltnpH", stdout=asyncio.subprocess.PIPE)
    listening = (await ss.communicate())[0].decode()
    addresses = [
        line.split()[3] for line in listening.splitlines() if any(f"pid={pid}," in line for pid in ours)
    ]

    assert addresses
    assert not [a for a in addresses if not a.startswith(("127.0.0.1:", "[::ffff:127.0.0.1]:", "[::1]:"))]
