"""Draws the trace of an ended job from its journal, keeps it in the store, and hands it on to be sent to a collector
where one is named.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from anabranch.dag.events import Record
from anabranch.dag.ids import JobId
from anabranch.service.store.errors import StoreAway
from anabranch.service.store.rows import Claim
from anabranch.service.store.store import Store
from anabranch.service.telemetry.capture import NOTHING, read_capture
from anabranch.service.telemetry.export import Exporter, wanted
from anabranch.service.telemetry.ids import TraceOrigin, read_traceparent
from anabranch.service.telemetry.sending import Sending, Waiting
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
        self._capture = read_capture() if wanted() else NOTHING
        """The store holds no content among its spans: the journal has it."""
        self._sending = Sending(Exporter(), self._capture) if wanted() else None
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
        """Keeps the traces of the jobs that were added. What goes wrong here touches no job, and is logged. Raises
        StoreAway; they are kept later then."""
        while self._ended:
            jobs = list(islice(self._ended, TOGETHER))
            try:
                await self.keep(jobs)
            except StoreAway:
                raise
            except Exception:
                told = "the spans of jobs %s were not kept; their journals still tell all"
                logger.exception(told, ", ".join(jobs))
            for _ in jobs:
                self._ended.popleft()

    async def keep(self, jobs: Sequence[JobId]) -> None:
        """Keeps the traces of ended jobs, in one transaction; the collector is sent them later. Raises StoreAway."""
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

        spans = await asyncio.to_thread(draw)
        await self._store.spans.save(spans)
        if self._sending is not None:
            for job, (trace, origin) in traces.items():
                self._sending.add(Waiting(job, trace, origin, len(spans[job])))

    async def _read(self, job: JobId) -> tuple[Trace, TraceOrigin]:
        row = await self._store.jobs.get(job)
        trace, seq = Trace(job, self._model, self._capture), 0
        while page := await self._store.journal.read_page(job, seq, PAGE):
            await asyncio.to_thread(_add, trace, page)
            seq = page[-1].seq
            if len(page) < PAGE:
                break
        return trace, _origin(row.trace_id, row.traceparent)

    async def close(self) -> None:
        if self._sending is not None:
            await self._sending.close()


def _origin(trace_id: str, traceparent: str | None) -> TraceOrigin:
    return TraceOrigin(trace_id, read_traceparent(traceparent).span_id if traceparent else None)


def _add(trace: Trace, page: Sequence[Record]) -> None:
    for record in page:
        trace.add(record)
