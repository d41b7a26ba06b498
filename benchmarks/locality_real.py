"""Runs jobs of all policies on four real replicas (vLLM on CPUs, through Ray Serve), under one router after another.

`locality.py --real` is its caller. The jobs are those of the model in virtual time, with fewer words. What a branch
writes is prescribed, so that every router has the same jobs, and really decoded: the text is the one choice that a
decode has.

What was cached is what vLLM counts (`num_cached_tokens`). What could have been is found by its KV events: a block that
a replica computes for a prompt while another one has it would have been cached there. Hashes of blocks are the same in
all processes (PYTHONHASHSEED).
"""

import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from zlib import crc32

import msgspec
import zmq
import zmq.asyncio
from ray import serve
from ray.serve.config import RequestRouterConfig
from ray.serve.llm.request_router import PrefixCacheAffinityRouter
from tests.dag.policies.writers import part
from tests.workers.pool.locality import Counted, jobs_of, nobody_asks

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.decoding import Structure
from anabranch.dag.ids import JobId
from anabranch.dag.job import JobSpec
from anabranch.dag.limits import Limits
from anabranch.dag.simulation.job_run import JobRun
from anabranch.dag.simulation.models.outputs import Output
from anabranch.dag.text import say
from anabranch.service.organizer.job.requests import request_of
from anabranch.workers.cluster import environment
from anabranch.workers.cluster.ray_private import ask_every_replica, open_handle, shutdown_handle
from anabranch.workers.engines.vllm.settings import VllmSettings
from anabranch.workers.messages import DecodeRequest, Key, Message, SegmentDone
from anabranch.workers.pool.deployment import ReadPool, WorkerPool, deployment_name, worker_pool
from anabranch.workers.pool.placement import Placement
from anabranch.workers.pool.protocol import Deliver
from anabranch.workers.pool.serve import ServePool
from anabranch.workers.prefixes import text_of
from anabranch.workers.settings import DEFAULT_POOL, PoolSettings

REPLICAS = 4
MODEL = "smollm2-135m"
APART_SECONDS = 0.5
"""Between two jobs of one policy."""
WORDS = ("river", "bridge", "stone", "water", "north", "early", "seven", "small", "letter", "garden")
"""Each is a token."""
PATIENCE_SECONDS = 120.0
"""Four engines on two cores may be silent for long."""
TOLD_SECONDS = 0.5
"""After which vLLM's events have arrived."""


# -- the replicas, and what each of them has cached


def settings_in(folder: str, kv_cache_gib: float) -> Callable[[], PoolSettings]:
    """Read in a replica's own process: its engine tells its KV events at an address of its own."""

    def read() -> PoolSettings:
        events = {
            "enable_kv_cache_events": True,
            "endpoint": f"ipc://{folder}/{os.getpid()}",
        }
        engine = VllmSettings(model=MODEL, kv_cache_gib=kv_cache_gib, extra={"kv_events_config": events})
        return PoolSettings(engine=engine, replicas=REPLICAS)

    return read


@dataclass(slots=True)
class Caches:
    """The blocks of each replica, by its KV events."""

    stored: int = 0
    missed: int = 0
    """Tokens that a replica computed while another had them."""
    removed: int = 0
    _held: dict[str, set[Any]] = field(default_factory=dict)

    async def listen(self, address: str) -> None:
        """Until it is cancelled."""
        from vllm.distributed.kv_events import KVEventBatch

        held = self._held.setdefault(address, set())
        with zmq.asyncio.Context.instance().socket(zmq.SUB) as socket:
            socket.connect(address)
            socket.subscribe("")
            while True:
                _topic, _number, told = await socket.recv_multipart()
                for event in msgspec.msgpack.decode(told, type=KVEventBatch).events:
                    self._note(event, held)

    def _note(self, event: Any, held: set[Any]) -> None:
        from vllm.distributed.kv_events import BlockRemoved, BlockStored

        match event:
            case BlockStored(block_hashes=blocks, block_size=size):
                new = set(blocks) - held
                elsewhere = sum(any(block in other for other in self._held.values()) for block in new)
                self.stored += size * len(new)
                self.missed += size * elsewhere
                held |= new
            case BlockRemoved(block_hashes=blocks):
                self.removed += len(held.intersection(blocks))
                held.difference_update(blocks)
            case _:
                held.clear()


# -- the routers


class RoundRobin(Placement):
    """Looks at nothing."""

    _next = 0

    def place(
        self, requests: Sequence[DecodeRequest], loads: Mapping[str, int]
    ) -> dict[str, list[DecodeRequest]]:
        placed: dict[str, list[DecodeRequest]] = {}
        for request in requests:
            self._next += 1
            placed.setdefault(sorted(loads)[self._next % len(loads)], []).append(request)
        return placed


class Prompted(tuple[DecodeRequest, ...]):
    """Requests of one call, with the text that Ray's router reads."""

    __slots__ = ()

    @property
    def prompt(self) -> str:
        return text_of(self[0].context)


class RaysPool:
    """A pool in which Ray's router places each decode, a call of its own."""

    def __init__(self, app: str) -> None:
        self._handle: Any = open_handle(deployment_name(DEFAULT_POOL), app).options(
            request_serialization="pickle", response_serialization="pickle"
        )
        self._calls: set[asyncio.Task[Any]] = set()

    def start(self, requests: Sequence[DecodeRequest], deliver: Deliver) -> None:
        for request in requests:
            self._go(self._follow(request, deliver))

    def abort(self, keys: Sequence[Key]) -> None:
        self._go(ask_every_replica(self._handle, "abort", keys=tuple(keys), replica=""))

    async def describe(self) -> Sequence[Any]:
        return await ask_every_replica(self._handle, "describe", replica="")

    async def close(self) -> None:
        await shutdown_handle(self._handle)

    async def _follow(self, request: DecodeRequest, deliver: Deliver) -> None:
        stream = self._handle.options(stream=True, method_name="decode")
        async for batch in stream.remote(Prompted([request]), replica=""):
            for message in batch.messages:
                deliver(message)

    def _go(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled() and (error := task.exception()):
            raise error


RealPool = ServePool | RaysPool


def rays_deployment(read: ReadPool) -> serve.Application:
    """The same replicas behind Ray's router, with its defaults."""
    return serve.deployment(
        WorkerPool,
        name=deployment_name(DEFAULT_POOL),
        num_replicas=REPLICAS,
        max_ongoing_requests=1000,
        ray_actor_options={"num_cpus": 0},
        request_router_config=RequestRouterConfig(request_router_class=PrefixCacheAffinityRouter),
    ).bind(read, sharing=True)


ROUTERS: Mapping[str, Callable[[str], RealPool]] = {
    "Anabranch": lambda app: ServePool(app, silence_seconds=PATIENCE_SECONDS),
    "Ray's prefix router": RaysPool,
    "round robin": lambda app: ServePool(app, placement=RoundRobin(), silence_seconds=PATIENCE_SECONDS),
}


@asynccontextmanager
async def replicas_under(router: str, kv_cache_gib: float) -> AsyncIterator[tuple[RealPool, Caches]]:
    """Four fresh replicas and a pool over them; gone afterwards."""
    app = "locality"
    with tempfile.TemporaryDirectory(prefix="kv-") as folder:
        read = settings_in(folder, kv_cache_gib)
        pool = ROUTERS[router](app)
        rays = isinstance(pool, RaysPool)
        bound = rays_deployment(read) if rays else worker_pool(read(), read, app=app)
        await asyncio.to_thread(serve.run, bound, name=app, route_prefix=None)
        caches = Caches()
        addresses = [f"ipc://{folder}/{name}" for name in os.listdir(folder)]  # noqa: PTH208
        assert len(addresses) == REPLICAS, addresses
        listening = [asyncio.create_task(caches.listen(address)) for address in addresses]
        await asyncio.sleep(TOLD_SECONDS)
        try:
            yield pool, caches
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
            await pool.close()
            await asyncio.to_thread(serve.delete, app)


# -- the jobs


@dataclass(slots=True)
class Jobs:
    """Jobs of one policy on a pool, in real time."""

    pool: RealPool
    counted: Counted = field(default_factory=Counted)
    _spans: list[tuple[str, float, float]] = field(default_factory=list)
    """Of each decode its replica, and from when to when it was there."""
    _left: int = 0
    _over: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _began: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    async def run(self, specs: Sequence[JobSpec]) -> None:
        self._left = len(specs)
        for number, spec in enumerate(specs):
            run = JobRun(
                number=number,
                spec=spec,
                write=lambda _: Output(cuts=()),
                limits=Limits(final_thoughts=True),
                arrived=APART_SECONDS * number,
                at=self._at,
                decode=self._decode,
                abort=self._abort,
                ended=self._end,
                stepped=lambda _run, _now: None,
                ask_room=nobody_asks,
            )
            self._at(APART_SECONDS * number, run.claim)
        await self._over
        self.counted.most = most_at_once(self._spans)

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    def _at(self, when: float, happen: Callable[[float], None]) -> None:
        asyncio.get_running_loop().call_at(self._began + when, lambda: happen(self._now()))

    def _end(self, _run: JobRun, _now: float) -> None:
        self._left -= 1
        if not self._left and not self._over.done():
            self._over.set_result(None)

    def _abort(self, run: JobRun, command: c.Abort, _now: float) -> None:
        self.pool.abort([Key(job=job_id(run), branch=command.branch, segment=command.segment)])

    def _decode(self, run: JobRun, command: c.Decode, now: float) -> None:
        salt = crc32(f"{run.number}/{command.branch}/{command.segment}".encode())
        own = " ".join(WORDS[(salt >> place) % len(WORDS)] for place in range(8 + salt % 16))
        text = part(run.spec.policy, command, own)
        request = request_of(command, job_id(run), run.spec, "a" * 32, now)
        prescribed = replace(request.decoding, structure=Structure(choice=(text,)), temperature=0.0)
        self.pool.start([replace(request, decoding=prescribed)], partial(self._hear, run, command))

    def _hear(self, run: JobRun, command: c.Decode, message: Message) -> None:
        if not isinstance(message, SegmentDone):
            return
        decoded = message.decoded
        if decoded.fault is not None:
            print(f"{run.spec.policy}: {decoded.fault}", file=sys.stderr)
            if not decoded.fault.retryable and not self._over.done():
                self._over.set_exception(RuntimeError(f"{run.spec.policy}: {decoded.fault}"))
        self.counted.read += decoded.usage.prompt_tokens
        self.counted.cached += decoded.usage.cached_tokens
        self._spans.append((decoded.replica, decoded.timing.submitted, decoded.timing.finished))
        fact = e.SegmentFinished(
            branch=command.branch, segment=message.segment, attempt=command.attempt, decoded=decoded
        )
        run.tell(fact, self._now())


def of_its_own(spec: JobSpec) -> JobSpec:
    """With a question that no other policy's job has: the replicas keep what they have read."""
    (asked,) = spec.messages
    return replace(spec, messages=(say(asked.role, f"{spec.policy}: ", *asked.parts),))


def job_id(run: JobRun) -> JobId:
    return JobId(f"{run.spec.policy}-{run.number}")


def most_at_once(spans: Sequence[tuple[str, float, float]]) -> int:
    """Decodes on one replica."""
    changes = [
        (when, change, replica)
        for replica, *ends in spans
        for when, change in zip(ends, (1, -1), strict=True)
    ]
    now, most = Counter[str](), 0
    for _when, change, replica in sorted(changes):
        now[replica] += change
        most = max(most, now[replica])
    return most


async def count(router: str, policies: Sequence[str], jobs: int, kv_cache_gib: float) -> dict[str, Counted]:
    """By policy: tokens read, cached where they were read, and cached anywhere."""
    told: dict[str, Counted] = {}
    async with replicas_under(router, kv_cache_gib) as (pool, caches):
        for policy in policies:
            missed = caches.missed
            running = Jobs(pool)
            await running.run([of_its_own(spec) for _, spec in jobs_of(policy, count=jobs)])
            await asyncio.sleep(TOLD_SECONDS)
            running.counted.could = running.counted.cached + caches.missed - missed
            told[policy] = running.counted
            print(
                f"{router}: {policy}: {running.counted}; blocks removed so far: {caches.removed}",
                file=sys.stderr,
            )
    return told


def measure(policies: Sequence[str], jobs: int, kv_cache_gib: float) -> dict[str, dict[str, Counted]]:
    """The same jobs under each router."""
    os.environ["PYTHONHASHSEED"] = "0"

    async def count_all() -> dict[str, dict[str, Counted]]:
        return {router: await count(router, policies, jobs, kv_cache_gib) for router in ROUTERS}

    with environment.local_ray(cpus=REPLICAS):
        return asyncio.run(count_all())
