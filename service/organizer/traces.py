"""Draws the trace of an ended job from its journal, keeps it in the store, and sends it to a collector where one is
named.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from anabranch.dag.events import Record
from anabranch.dag.ids import JobId
from anabranch.service.store.rows import Claim
from anabranch.service.store.store import Store
from anabranch.service.telemetry.capture import NOTHING, read_capture
from anabranch.service.telemetry.export import Exporter, wanted
from anabranch.service.telemetry.ids import TraceOrigin, read_traceparent
from anabranch.service.telemetry.span import Span
from anabranch.service.telemetry.spans import Trace

logger = logging.getLogger(__name__)

TOGETHER = 16
"""Traces that are kept in one transaction."""
PAGE = 500
"""Records that are read at once."""
MOST_KEPT = 4000
MOST_OF_JOB = 250
"""Records of fresh jobs, and of one of them, that are kept until these end: a narrow job's trace is drawn without
reading back what was just written. Journals of wider ones are read again, page by page."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """A journal, all of it so far."""

    origin: TraceOrigin
    records: list[Record] = field(default_factory=list)


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
        self._ended: deque[JobId] = deque()
        self._whole: dict[JobId, _Whole] = {}
        self._kept = 0

    def begin(self, claim: Claim) -> None:
        """The journal of this job is known from its beginning on, if nobody has claimed it before."""
        self.forget(claim.job)
        if claim.journal:
            self._whole[claim.job] = _Whole(_origin(claim.trace_id, claim.traceparent))
            self.note(claim.job, claim.journal)

    def note(self, job: JobId, records: Sequence[Record]) -> None:
        """These were appended to its journal."""
        if (whole := self._whole.get(job)) is not None:
            whole.records.extend(records)
            self._kept += len(records)
            if self._kept > MOST_KEPT or len(whole.records) > MOST_OF_JOB:
                self.forget(job)

    def forget(self, job: JobId) -> None:
        """Its journal is to be read, should its trace be drawn here."""
        if (whole := self._whole.pop(job, None)) is not None:
            self._kept -= len(whole.records)

    def add(self, job: JobId) -> None:
        """The trace of this job, which has ended, is to be kept soon: nobody waits for it, and the next job might."""
        self._ended.append(job)

    async def keep_ended(self) -> None:
        """Keeps the traces of the jobs that were added. What goes wrong here touches no job, and is logged."""
        while self._ended:
            jobs = [self._ended.popleft() for _ in range(min(TOGETHER, len(self._ended)))]
            try:
                await self.keep(jobs)
            except Exception:
                told = "the spans of jobs %s were not kept; their journals still tell all"
                logger.exception(told, ", ".join(jobs))

    async def keep(self, jobs: Sequence[JobId]) -> None:
        """Keeps the traces of ended jobs, in one transaction. Raises StoreAway. A collector that does not answer is
        logged, and nothing else."""
        wholes = {job: self._whole.get(job) for job in jobs}
        for job in jobs:
            self.forget(job)
        traces = {
            job: (Trace(job, self._model, self._capture), whole.origin) if whole else await self._read(job)
            for job, whole in wholes.items()
        }

        def draw() -> dict[JobId, list[Span]]:
            for job, whole in wholes.items():
                _add(traces[job][0], whole.records if whole else ())
            return {job: trace.spans(origin) for job, (trace, origin) in traces.items()}

        await self._store.spans.save(await asyncio.to_thread(draw))
        if self._exporter is not None:
            for job, (trace, origin) in traces.items():
                await self._export(self._exporter, job, trace, origin)

    async def _read(self, job: JobId) -> tuple[Trace, TraceOrigin]:
        row = await self._store.jobs.get(job)
        trace, seq = Trace(job, self._model, self._capture), 0
        while page := await self._store.journal.read_page(job, seq, PAGE):
            await asyncio.to_thread(_add, trace, page)
            seq = page[-1].seq
            if len(page) < PAGE:
                break
        return trace, _origin(row.trace_id, row.traceparent)

    async def _export(self, exporter: Exporter, job: JobId, trace: Trace, origin: TraceOrigin) -> None:
        spans = await asyncio.to_thread(trace.spans, origin, content=self._capture.on_spans)
        if not await exporter.export(spans):
            logger.warning("the spans of job %s did not reach the collector; the store has them", job)
        events = await asyncio.to_thread(trace.events, origin)
        if not await exporter.export_events(events):
            logger.warning("the events of job %s did not reach the collector; the journal has them", job)

    async def close(self) -> None:
        if self._exporter is not None:
            await self._exporter.close()


def _origin(trace_id: str, traceparent: str | None) -> TraceOrigin:
    return TraceOrigin(trace_id, read_traceparent(traceparent).span_id if traceparent else None)


def _add(trace: Trace, page: Sequence[Record]) -> None:
    for record in page:
        trace.add(record)
