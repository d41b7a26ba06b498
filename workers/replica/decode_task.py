"""Runs one decode on one engine, from admission to its last segment."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace

from anabranch.dag.decoding import Decoding, Fault, Finish
from anabranch.dag.grammars import UnknownGrammar, grammar_named
from anabranch.dag.grammars.grammar import Parser
from anabranch.dag.vocabulary import Cause
from anabranch.workers.engines.protocol import Engine
from anabranch.workers.errors import DecodeError
from anabranch.workers.messages import DecodeRequest, Message, SegmentDone
from anabranch.workers.replica.admission import Admission
from anabranch.workers.replica.segmenter import Segmenter

logger = logging.getLogger(__name__)


class DecodeTask:
    """Delivers the request's messages, exactly one last SegmentDone among them whatever happens; only a cancelled
    `run` (nobody listens any more) delivers none."""

    def __init__(
        self,
        request: DecodeRequest,
        deliver: Callable[[Message], None],
        *,
        engine: Engine,
        admission: Admission,
        replica: str,
        stall_seconds: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.request = request
        self._deliver = deliver
        self._engine = engine
        self._admission = admission
        self._stall_seconds = stall_seconds
        self._clock = clock
        engines = engine.capabilities
        self._segmenter = Segmenter(
            request=request, replica=replica, engine=engines.name, served=engines.served
        )
        self._scope = asyncio.timeout(None)
        self._heard_at = 0.0
        """When the engine gave its last token, by the loop's clock."""
        self._looking: asyncio.TimerHandle | None = None
        self._running = False
        self._aborted = False

    def abort(self) -> None:
        """Stop decoding; the last SegmentDone says ABORT and keeps the text. Idempotent."""
        if self._running and not self._aborted:
            self._leave()
        self._aborted = True

    async def run(self) -> None:
        self._deliver(await self._last())

    async def _last(self) -> SegmentDone:
        if self._aborted:
            return self._segmenter.end(Finish.ABORT, self._clock())
        try:
            async with self._scope:
                self._running = True
                return await self._read()
        except DecodeError as error:
            return self._segmenter.fail(error.fault, self._clock())
        except Exception as error:
            if self._scope.expired():
                return self._cut_off()
            logger.exception("decode of %s failed inside the engine", self.request.key)
            fault = Fault(cause=Cause.ENGINE_ERROR, detail=f"{type(error).__name__}: {error}")
            return self._segmenter.fail(fault, self._clock())
        finally:
            self._running = False

    def _cut_off(self) -> SegmentDone:
        if self._aborted:
            return self._segmenter.end(Finish.ABORT, self._clock())
        fault = Fault(cause=Cause.TIMEOUT, detail=f"the engine gave no token for {self._stall_seconds:g} s")
        return self._segmenter.fail(fault, self._clock())

    async def _read(self) -> SegmentDone:
        self._segmenter.parser = _parser_for(self.request.decoding)
        async with self._admission.place(self.request.key.job, self.request.priority):
            self._segmenter.admit(self._clock())
            with self._watching():
                finish = await self._feed()
                tokens = await self._overshoot_tokens()
            return self._segmenter.end(finish, self._clock(), overshoot_tokens=tokens)

    async def _feed(self) -> Finish:
        """Cuts the engine's chunks into segments until the stream ends or a tag stops it."""
        async with aclosing(self._engine.decode(_with_likelihoods(self.request))) as chunks:
            loop = asyncio.get_running_loop()
            async for chunk in chunks:
                self._heard_at = loop.time()
                for message in self._segmenter.feed(chunk, self._clock()):
                    self._deliver(message)
                if self._segmenter.stopped:
                    return Finish.TAG
                if chunk.finish is not None:
                    return chunk.finish
                if self._segmenter.unsure:
                    return Finish.UNSURE
        fault = Fault(cause=Cause.ENGINE_ERROR, detail="the engine's stream ended without saying why")
        raise DecodeError(fault)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Leaves the engine once it has given no token for too long. One timer at a time, which looks when the last one
        came: to set it anew for each token costs as much as reading the token."""
        self._heard_at = asyncio.get_running_loop().time()
        self._look()
        try:
            yield
        finally:
            if self._looking is not None:
                self._looking.cancel()

    def _look(self) -> None:
        if self._stall_seconds is None:
            return
        loop, due = asyncio.get_running_loop(), self._heard_at + self._stall_seconds
        if due <= loop.time():
            self._leave()
        else:
            self._looking = loop.call_at(due, self._look)

    def _leave(self) -> None:
        if not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def _overshoot_tokens(self) -> int:
        limit = self._segmenter.overshoot_limit
        if not self._segmenter.overshoot or not limit:
            return 0
        return min(limit, await self._engine.count_tokens(self._segmenter.overshoot))


def _with_likelihoods(request: DecodeRequest) -> DecodeRequest:
    """The request as the engine gets it: where confidence is measured, it tells the likeliest tokens, too."""
    decoding = request.decoding
    if decoding.confidence is None:
        return request
    most = max(decoding.logprobs or 0, decoding.confidence.likeliest)
    return replace(request, decoding=replace(decoding, logprobs=most))


def _parser_for(decoding: Decoding) -> Parser | None:
    if decoding.grammar is None:
        return None
    try:
        return grammar_named(decoding.grammar).parser()
    except UnknownGrammar as error:
        raise DecodeError(Fault(cause=Cause.REFUSED, detail=str(error), retryable=False)) from error
