"""Draws the trace of an ended job from its journal, keeps it in the store, and sends it to a collector where one is
named.
"""

import asyncio
import logging
from collections.abc import Sequence

from anabranch.dag.events import Record
from anabranch.dag.ids import JobId
from anabranch.service.store.store import Store
from anabranch.service.telemetry.capture import NOTHING, read_capture
from anabranch.service.telemetry.export import Exporter, wanted
from anabranch.service.telemetry.ids import TraceOrigin, read_traceparent
from anabranch.service.telemetry.spans import Trace

logger = logging.getLogger(__name__)


class Traces:
    """Spans are for people: losing them changes no result, and the journal can draw them again. They are drawn in a
    thread: with texts in them they are as long as all contexts together, and the organizer's other jobs go on."""

    def __init__(self, store: Store, model: str) -> None:
        """`model` is the pool's own, for decodes that name none."""
        self._store = store
        self._model = model
        self._exporter = Exporter() if wanted() else None
        self._capture = read_capture() if self._exporter else NOTHING
        """The store holds no content among its spans: the journal has it."""

    async def draw(self, job: JobId) -> None:
        """Keeps the trace of an ended job. What goes wrong here touches no job, and is logged."""
        try:
            await self.keep(job)
        except Exception:
            logger.exception("the spans of job %s were not kept; its journal still tells all", job)

    async def keep(self, job: JobId) -> None:
        """Raises StoreAway. A collector that does not answer is logged, and nothing else."""
        row = await self._store.jobs.get(job)
        origin = TraceOrigin(
            row.trace_id, read_traceparent(row.traceparent).span_id if row.traceparent else None
        )
        trace, seq = Trace(job, self._model, self._capture), 0
        while page := await self._store.journal.read_page(job, seq):
            await asyncio.to_thread(_add, trace, page)
            seq = page[-1].seq
        await self._store.spans.save(job, await asyncio.to_thread(trace.spans, origin))
        if self._exporter is None:
            return
        spans = await asyncio.to_thread(trace.spans, origin, content=self._capture.on_spans)
        if not await self._exporter.export(spans):
            logger.warning("the spans of job %s did not reach the collector; the store has them", job)
        events = await asyncio.to_thread(trace.events, origin)
        if not await self._exporter.export_events(events):
            logger.warning("the events of job %s did not reach the collector; the journal has them", job)

    async def close(self) -> None:
        if self._exporter is not None:
            await self._exporter.close()


def _add(trace: Trace, page: Sequence[Record]) -> None:
    for record in page:
        trace.add(record)
