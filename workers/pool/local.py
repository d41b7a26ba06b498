"""Runs the worker pool with one engine in this process: for tests, benchmarks and the in-memory twin of a
deployment.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

from anabranch.dag.decoding import Fault, Finish
from anabranch.dag.room import StepFit, Streams
from anabranch.dag.vocabulary import Cause
from anabranch.workers.engines.protocol import Engine
from anabranch.workers.messages import DecodeRequest, Key
from anabranch.workers.pool.in_flight import InFlightCall
from anabranch.workers.pool.protocol import Deliver, PoolLoad
from anabranch.workers.replica.replica import TEXT_INTERVAL, Batch, Replica

logger = logging.getLogger(__name__)


class LocalPool:
    """A `Pool` of one replica in this process and on this event loop. It owns the engine from then on."""

    def __init__(
        self,
        engine: Engine,
        *,
        max_decodes: int = 256,
        text_interval: float = TEXT_INTERVAL,
        stall_seconds: float | None = None,
        name: str = "local",
    ) -> None:
        self.replica = Replica(
            engine,
            name=name,
            max_decodes=max_decodes,
            text_interval=text_interval,
            stall_seconds=stall_seconds,
        )
        self._name = name
        self._calls: set[asyncio.Task[None]] = set()

    def start(self, requests: Sequence[DecodeRequest], deliver: Deliver) -> None:
        batches = self.replica.decode(requests)
        task = asyncio.create_task(self._follow(batches, InFlightCall(requests, deliver)))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    def abort(self, keys: Sequence[Key]) -> None:
        self.replica.abort(keys)

    def elsewhere(self, key: Key) -> bool:
        """An upstream's next call may reach another of its machines; an engine in this process is the only one."""
        return self.replica.describe().capabilities.name != "vllm" and key in self.replica

    def load(self) -> PoolLoad:
        state = self.replica.describe()
        return PoolLoad(replicas=1, decoding=state.decoding, capacity=state.max_decodes)

    def streams(self, model: str | None) -> tuple[Streams, StepFit]:  # noqa: ARG002
        state = self.replica.describe()
        return Streams(streams=state.decoding, capacity=state.max_decodes), self.replica.step_fit

    async def close(self) -> None:
        """Stops what still runs, with no last messages, and closes the engine."""
        calls = tuple(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self.replica.close()

    async def _follow(self, batches: AsyncGenerator[Batch, None], call: InFlightCall) -> None:
        fault = Fault(
            cause=Cause.ENGINE_ERROR, detail="the replica ended the stream without an end of this decode"
        )
        try:
            async for batch in batches:
                call.receive(batch.messages)
        except Exception as error:
            logger.exception("a call of %s was lost", self._name)
            fault = Fault(cause=Cause.ENGINE_ERROR, detail=f"{type(error).__name__}: {error}")
        call.end([request.key for request in call.open], Finish.ERROR, replica=self._name, fault=fault)
