"""Sends spans to an OpenTelemetry collector, by OTLP over HTTP.

Where to, with which headers and under which service name is said by the standard OTEL_* variables and nothing else.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link as OtelLink
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace import Status as OtelStatus

from anabranch.service.telemetry import names
from anabranch.service.telemetry.resource import service_resource
from anabranch.service.telemetry.span import Kind, Span, Status

_KINDS = {Kind.INTERNAL: SpanKind.INTERNAL, Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT}
_STATUSES = {Status.UNSET: StatusCode.UNSET, Status.OK: StatusCode.OK, Status.ERROR: StatusCode.ERROR}
_SCOPE = InstrumentationScope("anabranch")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the standard variables name a collector."""
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return not disabled and any(environment.get(name) for name in endpoints)


class Exporter:
    """Sends spans to the collector that the environment names."""

    def __init__(self) -> None:
        self._resource = service_resource()
        self._sender = OTLPSpanExporter()

    async def export(self, spans: Sequence[Span]) -> bool:
        """Whether they arrived. The sender tries again by itself and logs what it could not do; nothing is raised."""
        sent = await asyncio.to_thread(
            self._sender.export, [_readable(span, self._resource) for span in spans]
        )
        return sent is SpanExportResult.SUCCESS

    async def close(self) -> None:
        await asyncio.to_thread(self._sender.shutdown)


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


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=_SAMPLED)


def _description(span: Span) -> str | None:
    """Only an error is described."""
    return str(span.attributes.get(names.REASON, "")) if span.status is Status.ERROR else None
