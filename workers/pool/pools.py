"""Runs several named pools as one: each decode goes to the pool of its request's model.

A pool without a replica keeps its own decodes until it has one; the others go on. Who is without is in the load.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from anabranch.dag.decoding import Fault, Finish
from anabranch.dag.room import NOTHING_LEARNED, StepFit, Streams
from anabranch.dag.vocabulary import Cause
from anabranch.workers.messages import DecodeRequest, Key
from anabranch.workers.pool.in_flight import InFlightCall
from anabranch.workers.pool.naming import ModelNames
from anabranch.workers.pool.protocol import Deliver, Pool, PoolLoad


class Pools:
    """A `Pool` over several, which it owns from then on. Made on the event loop that uses it."""

    def __init__(self, pools: Mapping[str, Pool], names: ModelNames, cluster: str = "") -> None:
        """`names` finds each of these pools, and no other; their replicas are of this cluster."""
        self._pools = pools
        self._names = names
        self._cluster = cluster
        self._loop = asyncio.get_running_loop()

    def start(self, requests: Sequence[DecodeRequest], deliver: Deliver) -> None:
        going: dict[str, list[DecodeRequest]] = {}
        for request in requests:
            serving = self._names.find(request.model)
            if serving is None:
                self._loop.call_soon(self._refuse, request, deliver)
            else:
                going.setdefault(serving.pool, []).append(replace(request, model=serving.model))
        for pool, together in going.items():
            self._pools[pool].start(together, deliver)

    def abort(self, keys: Sequence[Key]) -> None:
        for pool in self._pools.values():
            pool.abort(keys)

    def elsewhere(self, key: Key) -> bool:
        return any(pool.elsewhere(key) for pool in self._pools.values())

    def load(self) -> PoolLoad:
        loads = {name: pool.load() for name, pool in self._pools.items()}
        return PoolLoad(
            replicas=sum(load.replicas for load in loads.values()),
            decoding=sum(load.decoding for load in loads.values()),
            capacity=sum(load.capacity for load in loads.values()),
            waiting=sum(load.waiting for load in loads.values()),
            pools=loads,
            cluster=self._cluster,
        )

    def streams(self, model: str | None) -> tuple[Streams, StepFit]:
        serving = self._names.find(model)
        if serving is None:  # it will be refused: nothing stands in its way
            return Streams(streams=0, capacity=1), NOTHING_LEARNED
        return self._pools[serving.pool].streams(serving.model)

    async def close(self) -> None:
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    def _refuse(self, request: DecodeRequest, deliver: Deliver) -> None:
        """A job that was taken before its pool was removed, or a policy that names a model of its own."""
        there = ", ".join(self._names.listed)
        detail = f"no pool serves {request.model!r}; there are: {there}"
        fault = Fault(cause=Cause.REFUSED, detail=detail, retryable=False)
        InFlightCall([request], deliver).end([request.key], Finish.ERROR, replica="", fault=fault)
