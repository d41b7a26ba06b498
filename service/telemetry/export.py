"""Sends spans, and events where they are asked for, to an OpenTelemetry collector, by OTLP over HTTP.

Where to, with which headers and under which service name is said by the standard OTEL_* variables and nothing else.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link as OtelLink
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Status as OtelStatus

from anabranch.service.telemetry import names
from anabranch.service.telemetry.resource import service_resource
from anabranch.service.telemetry.span import Event, Kind, Span, Status
from anabranch.workers.daemon_threads import run_in_daemon

_KINDS = {Kind.INTERNAL: SpanKind.INTERNAL, Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT}
_STATUSES = {Status.UNSET: StatusCode.UNSET, Status.OK: StatusCode.OK, Status.ERROR: StatusCode.ERROR}
_SCOPE = InstrumentationScope(names.WORKFLOW, schema_url=names.SCHEMA_URL)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)

AT_ONCE = 512
"""Spans or events in one request, as OpenTelemetry's own processors have it."""
CHARACTERS_AT_ONCE = 2_000_000
"""Of texts in one request: collectors refuse bodies of more than a few megabytes."""

T = TypeVar("T", Span, Event)

logger = logging.getLogger(__name__)


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the standard variables name a collector."""
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    off = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return not disabled and not off and any(environment.get(name) for name in endpoints)


class Exporter:
    """Sends spans to the collector that the environment names, and events beside them."""

    def __init__(self) -> None:
        self._resource = service_resource()
        self._spans = OTLPSpanExporter()
        self._events: OTLPLogExporter | None = None
        """Made when there is an event: most collectors are sent none."""

    async def export(self, spans: Sequence[Span]) -> bool:
        """Whether they arrived. The sender tries again by itself and logs what it could not do; nothing is raised."""
        return await _all_sent(spans, self._send_spans)

    async def export_events(self, events: Sequence[Event]) -> bool:
        """The same, for events."""
        return await _all_sent(events, self._send_events)

    async def close(self) -> None:
        await asyncio.to_thread(self._spans.shutdown)
        if self._events is not None:
            await asyncio.to_thread(self._events.shutdown)

    def _send_spans(self, spans: Sequence[Span]) -> bool:
        sent = self._spans.export([_readable(span, self._resource) for span in spans])
        return sent is SpanExportResult.SUCCESS

    def _send_events(self, events: Sequence[Event]) -> bool:
        self._events = self._events or OTLPLogExporter()
        sent = self._events.export([_log_record(event, self._resource) for event in events])
        return sent is LogRecordExportResult.SUCCESS


async def _all_sent(told: Sequence[T], send: Callable[[Sequence[T]], bool]) -> bool:
    """In requests that a collector takes. What one could not take does not keep the others back."""
    return all([await _is_sent(partial(send, batch)) for batch in batches(told)])


async def _is_sent(send: Callable[[], bool]) -> bool:
    """Whether it was sent. A collector may say nothing for ever: no process waits for that at its end."""
    try:
        return await run_in_daemon("collector", send)
    except Exception:
        logger.exception("what a collector is to be told could not be written")
        return False


def batches(told: Sequence[T]) -> Iterator[list[T]]:
    """Spans or events in their order, so many as fit into one request; a single one is never torn apart."""
    batch: list[T] = []
    characters = 0
    for each in told:
        length = sum(_length(value) for value in each.attributes.values())
        if batch and (len(batch) == AT_ONCE or characters + length > CHARACTERS_AT_ONCE):
            yield batch
            batch, characters = [], 0
        batch.append(each)
        characters += length
    if batch:
        yield batch


def _length(value: object) -> int:
    match value:
        case str():
            return len(value)
        case Mapping():
            return sum(map(_length, value.values()))
        case list() | tuple():
            return sum(map(_length, value))
        case _:
            return 0


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    parent = _context(span.trace_id, span.parent_span_id) if span.parent_span_id else None
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=parent,
        resource=resource,
        attributes=span.attributes,
        links=[OtelLink(_context(span.trace_id, link.span_id), link.attributes) for link in span.links],
        kind=_KINDS[span.kind],
        instrumentation_scope=_SCOPE,
        status=OtelStatus(_STATUSES[span.status], _description(span)),
        start_time=span.start_ns,
        end_time=span.end_ns,
    )


def _log_record(event: Event, resource: Resource) -> ReadableLogRecord:
    """An event is a log record with a name, within its span."""
    within = NonRecordingSpan(_context(event.trace_id, event.span_id))
    record = LogRecord(
        timestamp=event.at_ns,
        observed_timestamp=event.at_ns,
        context=set_span_in_context(within),
        severity_number=SeverityNumber.DEBUG,
        attributes=event.attributes,
        event_name=event.name,
    )
    return ReadableLogRecord(record, resource, _SCOPE)


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=_SAMPLED)


def _description(span: Span) -> str | None:
    """Only an error is described."""
    return str(span.attributes.get(names.REASON, "")) if span.status is Status.ERROR else None
