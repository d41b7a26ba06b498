"""The journal, one record a line, hashes included: whoever has this can check the chain without us."""

from collections.abc import Iterator, Sequence

from anabranch.dag.events import Record
from anabranch.service.wire import record_json


def jsonl(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        yield record_json(record, hashes=True) + "\n"
