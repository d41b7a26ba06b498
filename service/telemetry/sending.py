"""Sends the traces of ended jobs to a collector, behind everything else: one that does not answer holds up nothing."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from anabranch.dag.ids import JobId
from anabranch.service.telemetry.capture import Capture
from anabranch.service.telemetry.export import Exporter
from anabranch.service.telemetry.ids import TraceOrigin
from anabranch.service.telemetry.spans import Trace

MOST_WAITING = 20_000
"""Spans that wait for the collector. While there are as many, no more traces are taken."""
LAST_SECONDS = 2.0
"""How long the collector then has, at the end of this process, to take what waits."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job's trace that the collector has not taken yet."""

    job: JobId
    trace: Trace
    origin: TraceOrigin
    spans: int


class Sending:
    """Sends one trace after the other, in a task of its own. The store has the spans already: what the collector does
    not take in time is dropped, counted, and told once."""

    def __init__(self, exporter: Exporter, capture: Capture) -> None:
        self._exporter = exporter
        self._capture = capture
        self._waiting: deque[Waiting] = deque()
        """The first is being sent."""
        self._spans = 0
        self._dropped = 0
        self._task: asyncio.Task[None] | None = None

    def add(self, waiting: Waiting) -> None:
        """This trace is sent soon, if there is room for it."""
        if self._spans >= MOST_WAITING:
            self._dropped += 1
            return
        self._waiting.append(waiting)
        self._spans += waiting.spans
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._send_all(), name="traces to the collector")

    async def close(self) -> None:
        """Waits a little for what is still to be sent, and drops the rest."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=LAST_SECONDS)
            self._task.cancel()
        await self._exporter.close()
        self._dropped += len(self._waiting)
        self._tell_dropped()

    async def _send_all(self) -> None:
        while self._waiting:
            first = self._waiting[0]
            try:
                await self._send(first)
            except Exception:
                logger.exception("the trace of job %s could not be sent; the store has its spans", first.job)
            self._waiting.popleft()
            self._spans -= first.spans
        self._tell_dropped()

    async def _send(self, waiting: Waiting) -> None:
        spans = await asyncio.to_thread(waiting.trace.spans, waiting.origin, content=self._capture.on_spans)
        if not await self._exporter.export(spans):
            logger.warning("the spans of job %s did not reach the collector; the store has them", waiting.job)
        events = await asyncio.to_thread(waiting.trace.events, waiting.origin)
        if not await self._exporter.export_events(events):
            told = "the events of job %s did not reach the collector; the journal has them"
            logger.warning(told, waiting.job)

    def _tell_dropped(self) -> None:
        if self._dropped:
            told = "%d traces were not sent, as the collector took too long; the store has their spans"
            logger.warning(told, self._dropped)
        self._dropped = 0
