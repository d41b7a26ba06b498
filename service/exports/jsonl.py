"""Exports the journal, one record a line, hashes included: whoever has this can check the chain without us."""

from collections.abc import Iterator

from anabranch.service.exports.registry import ExportedJob, ExportFormat
from anabranch.service.wire import record_json


def write_jsonl(job: ExportedJob) -> Iterator[str]:
    """Writes each record as one line of JSON."""
    for record in job.records:
        yield record_json(record, hashes=True) + "\n"


JSONL = ExportFormat(
    name="jsonl",
    title="JSON lines: the journal itself, which can be verified and imported again",
    media_type="application/x-ndjson",
    write=write_jsonl,
)
