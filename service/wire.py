"""Writes events as JSON text, for clients and exports."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from anabranch.dag.events import Event, Record
from anabranch.dag.ids import JobId
from anabranch.service.store.codec import decode, decode_known, encode
from anabranch.service.store.sql.columns import utc_text


def record_json(record: Record, *, hashes: bool = False) -> str:
    """The event as clients get it. Its payload stands as it was hashed."""
    encoded = encode(record.event)
    envelope = {
        "job": record.job,
        "seq": record.seq,
        "epoch": record.epoch,
        "at": utc_text(record.at),
        "kind": encoded.kind,
        "branch": record.event.branch,
    }
    if hashes:
        envelope |= {"prev_hash": record.prev_hash, "hash": record.hash}
    return f'{json.dumps(envelope)[:-1]}, "payload": {encoded.payload}}}'


def record_of(told: Mapping[str, Any]) -> Record:
    """The record that `record_json` was given, from its JSON; without hashes where they were not told. Raises
    UnreadableFormat."""
    return _record_of(told, decode)


def known_record_of(told: Mapping[str, Any]) -> Record:
    """The same as far as this release knows it, for whoever shows it."""
    return _record_of(told, decode_known)


def _record_of(told: Mapping[str, Any], decode: Callable[[str, str, Mapping[str, Any]], Event]) -> Record:
    return Record(
        job=JobId(told["job"]),
        seq=told["seq"],
        epoch=told["epoch"],
        at=datetime.fromisoformat(told["at"]),
        event=decode(told["kind"], told["branch"], told["payload"]),
        prev_hash=told.get("prev_hash", ""),
        hash=told.get("hash", ""),
    )


def page_json(records: Iterable[Record], next_after: int | None) -> str:
    items = ",".join(record_json(record) for record in records)
    return f'{{"items":[{items}],"next_after":{json.dumps(next_after)}}}'
