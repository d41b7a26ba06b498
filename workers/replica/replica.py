"""Runs many decodes at once on one engine, with one stream of batches per call. Knows nothing of Ray."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial

from anabranch.dag.room import NOTHING_LEARNED, StepFit
from anabranch.workers.engines.protocol import Capabilities, Engine
from anabranch.workers.messages import DecodeRequest, Key, Message
from anabranch.workers.replica.admission import Admission
from anabranch.workers.replica.batcher import Batcher
from anabranch.workers.replica.decode_task import DecodeTask
from anabranch.workers.replica.prefix_news import PrefixNews
from anabranch.workers.replica.step_times import StepTimes

TEXT_INTERVAL = 0.05
"""Seconds between two batches of text of one call."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a replica had to say at one time about the decodes of one call."""

    replica: str
    messages: list[Message]
    decoding: int = 0
    """Decodes it holds, of all calls."""
    step: StepFit = NOTHING_LEARNED
    read: tuple[int, ...] = ()
    """Keys of blocks that were read or written for others, as far as the caller has not been told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaState:
    """What a replica tells about itself."""

    replica: str
    capabilities: Capabilities
    decoding: int
    """Decodes it holds, those waiting for a place included."""
    max_decodes: int
    """Decodes it takes at once."""
    calls: int
    """Calls of `decode` so far."""


class Replica:
    """One engine and the decodes on it."""

    def __init__(
        self,
        engine: Engine,
        *,
        name: str,
        max_decodes: int,
        text_interval: float = TEXT_INTERVAL,
        stall_seconds: float | None = None,
    ) -> None:
        self._engine = engine
        self._name = name
        self._max_decodes = max_decodes
        self._text_interval = text_interval
        self._stall_seconds = stall_seconds
        self._admission = Admission(max_decodes)
        self._decodes: dict[Key, DecodeTask] = {}
        self._calls = 0
        self._step_times = StepTimes()
        self._prefix_news = PrefixNews()

    def decode(self, requests: Sequence[DecodeRequest], caller: str = "") -> AsyncGenerator[Batch, None]:
        """Takes all requests up at once: from then on `abort` knows them, and the first batch, without messages, says
        so. Later ones without say that the replica lives. The stream ends after the last SegmentDone of the last
        request. A consumer that goes away (aclose, or cancelled) aborts all that is left. `caller` names the
        organizer; one without a name is told nothing of others."""
        self._calls += 1
        batcher = Batcher(self._text_interval)
        decodes = [self._take(request, batcher) for request in requests]
        if caller:
            self._prefix_news.read(requests, caller)
        return self._stream(decodes, batcher, caller)

    def abort(self, keys: Sequence[Key]) -> None:
        """Stop these decodes; each still delivers its last SegmentDone. Unknown keys are ignored."""
        for key in keys:
            if decode := self._decodes.get(key):
                decode.abort()

    @property
    def step_fit(self) -> StepFit:
        """How long a step takes, as far as that is learned."""
        return self._step_times.fit

    def __contains__(self, key: Key) -> bool:
        return key in self._decodes

    def describe(self) -> ReplicaState:
        return ReplicaState(
            replica=self._name,
            capabilities=self._engine.capabilities,
            decoding=len(self._decodes),
            max_decodes=self._max_decodes,
            calls=self._calls,
        )

    async def check_health(self) -> None:
        """Raises EngineDead when this replica must be replaced."""
        await self._engine.check_health()

    async def close(self) -> None:
        await self._engine.close()

    def _take(self, request: DecodeRequest, batcher: Batcher) -> DecodeTask:
        decode = DecodeTask(
            request,
            partial(self._say, batcher),
            engine=self._engine,
            admission=self._admission,
            replica=self._name,
            stall_seconds=self._stall_seconds,
        )
        self._decodes[request.key] = decode
        return decode

    def _say(self, batcher: Batcher, message: Message) -> None:
        self._prefix_news.wrote(message)
        batcher.put(message)

    def _batch(self, messages: list[Message], caller: str) -> Batch:
        read = self._prefix_news.since_last(caller) if caller else ()
        return Batch(self._name, messages, len(self._decodes), self._step_times.fit, read)

    async def _stream(
        self, decodes: Sequence[DecodeTask], batcher: Batcher, caller: str
    ) -> AsyncGenerator[Batch, None]:
        tasks = [asyncio.create_task(self._run(decode)) for decode in decodes]
        asyncio.gather(*tasks, return_exceptions=True).add_done_callback(lambda _: batcher.close())
        try:
            yield self._batch([], caller)
            async for messages in batcher.batches():
                now = asyncio.get_running_loop().time()
                for message in messages:
                    self._step_times.heard(message, now)
                yield self._batch(messages, caller)
            for task in tasks:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for decode in decodes:  # a task cancelled before its first step has not run at all
                self._forget(decode)

    async def _run(self, decode: DecodeTask) -> None:
        try:
            await decode.run()
        finally:
            self._forget(decode)

    def _forget(self, decode: DecodeTask) -> None:
        key = decode.request.key
        if self._decodes.get(key) is decode:
            del self._decodes[key]
            self._prefix_news.forget(key)
