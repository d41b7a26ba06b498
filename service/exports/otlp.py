"""Exports the trace as OTLP/JSON: one ExportTraceServiceRequest, as any collector takes it at /v1/traces."""

import json
from collections.abc import Iterator
from typing import Any

from anabranch.service.exports.registry import ExportedJob, ExportFormat
from anabranch.service.telemetry.capture import read_capture
from anabranch.service.telemetry.names import SCHEMA_URL, WORKFLOW
from anabranch.service.telemetry.resource import service_resource
from anabranch.service.telemetry.span import Kind, Link, Span, Status, Value
from anabranch.service.telemetry.spans import spans_of

_KINDS = {Kind.INTERNAL: 1, Kind.SERVER: 2, Kind.CLIENT: 3}
_STATUSES = {Status.UNSET: 0, Status.OK: 1, Status.ERROR: 2}
_ONE = {bool: "boolValue", float: "doubleValue", str: "stringValue"}

Json = dict[str, Any]


def write_otlp(job: ExportedJob) -> Iterator[str]:
    """Writes the spans of the job's trace, under the service's name and attributes that OTEL_* variables give. Prompts
    and answers are in them where those variables want them on spans."""
    spans = spans_of(job.records, job.origin, job.pool_model, read_capture())
    resource = {"attributes": _attributes(service_resource().attributes.items())}
    scope = {
        "scope": {"name": WORKFLOW},
        "spans": [_span(span) for span in spans],
        "schemaUrl": SCHEMA_URL,
    }
    yield json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})
    yield "\n"


def _span(span: Span) -> Json:
    """Ids are hex and 64-bit numbers are text: the two rules by which OTLP/JSON is not plain protobuf JSON."""
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_span_id or "",
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes(span.attributes.items()),
        "links": [_link(span.trace_id, link) for link in span.links],
        "status": {"code": _STATUSES[span.status]},
    }


def _link(trace_id: str, link: Link) -> Json:
    return {"traceId": trace_id, "spanId": link.span_id, "attributes": _attributes(link.attributes.items())}


def _attributes(told: Any) -> list[Json]:
    return [{"key": name, "value": _value(value)} for name, value in told]


def _value(value: Value) -> Json:
    if isinstance(value, tuple):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    if type(value) is int:
        return {"intValue": str(value)}
    return {_ONE[type(value)]: value}


OTLP = ExportFormat(
    name="otlp",
    title="OTLP/JSON: the spans of its trace, for any OpenTelemetry collector",
    media_type="application/json",
    write=write_otlp,
)
