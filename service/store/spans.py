"""Stores the spans of traces, as telemetry draws them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import RowMapping, select

from anabranch.dag.ids import JobId
from anabranch.service.store.projections.apply import replace
from anabranch.service.store.sql.repository import Repository
from anabranch.service.store.sql.tables import spans
from anabranch.service.telemetry.span import Kind, Link, Span, Status

AT_ONCE = 500
"""A wide job has tens of thousands; organizers want to write in between."""


class Spans(Repository):
    """The spans of jobs' traces."""

    async def save(self, drawn: Mapping[JobId, Sequence[Span]]) -> None:
        """Adds these spans of jobs' traces; one that is there already is replaced. Raises StoreAway."""
        rows = [_columns(job, span) for job, of_job in drawn.items() for span in of_job]
        for start in range(0, len(rows), AT_ONCE):
            await self._database.write(partial(replace, table=spans, rows=rows[start : start + AT_ONCE]))

    async def read(self, job: JobId) -> list[Span]:
        """A job's spans, in the order in which they began. Raises StoreAway."""
        began = select(spans).where(spans.c.job_id == job).order_by(spans.c.start_ns, spans.c.span_id)
        rows = await self._database.read(lambda connection: connection.execute(began).mappings().all())
        return [_span(row) for row in rows]


def _columns(job: JobId, span: Span) -> dict[str, Any]:
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "job_id": job,
        "name": span.name,
        "kind": span.kind,
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "status": span.status,
        "attributes": dict(span.attributes),
        "links": [{"span_id": link.span_id, "attributes": dict(link.attributes)} for link in span.links],
    }


def _span(row: RowMapping) -> Span:
    return Span(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_span_id=row["parent_span_id"],
        name=row["name"],
        kind=Kind(row["kind"]),
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        status=Status(row["status"]),
        attributes=_attributes(row["attributes"]),
        links=tuple(
            Link(span_id=link["span_id"], attributes=_attributes(link["attributes"])) for link in row["links"]
        ),
    )


def _attributes(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Lists are tuples again, which JSON does not know."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
