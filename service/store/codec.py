"""Encodes events as the journal stores them: a kind, a branch, and the other fields as JSON, defaults left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter

from anabranch.dag.events import KINDS, Event
from anabranch.dag.job import JobSpec
from anabranch.service.store.errors import UnreadableFormat
from anabranch.service.store.sql.storable import json_text, storable, storable_json

FORMAT = 1
"""Raise it when a payload changes its meaning, and teach `decode` to read the older one. Adding a field that has a
default changes nothing. Format 1 is not written; later ones stand in the payload, under FORMAT_KEY, and are hashed."""

FORMAT_KEY = "@format"

_OWN_COLUMN = {"branch"}
_SPEC = TypeAdapter(JobSpec)


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event on its way into the journal."""

    event: Event
    """As it will be read back: equal to what was given, but for what no database can hold (see `storable`)."""
    kind: str
    payload: str
    """JSON, as it is stored and hashed."""


def encode(event: Event) -> Encoded:
    """The event as it will be stored."""
    kind = type(event).__name__
    fields = _adapter(kind).dump_python(event, exclude_defaults=True, exclude=_OWN_COLUMN)
    payload = storable_json(fields)
    if payload is not None:
        return Encoded(event, kind, payload)
    mended = storable(fields)
    return Encoded(decode(kind, event.branch, mended), kind, json_text(mended))


def decode(kind: str, branch: str, payload: Mapping[str, Any]) -> Event:
    """The event that `encode` was given. Raises UnreadableFormat for a format or a kind this release does not know."""
    written = payload.get(FORMAT_KEY, 1)
    if written > FORMAT:
        raise UnreadableFormat(f"events of format {written}, and this release reads up to {FORMAT}")
    if kind not in KINDS:
        raise UnreadableFormat(f"an event of the kind {kind!r}, which this release does not know")
    return cast("Event", _adapter(kind).validate_python({**payload, "branch": branch}))


def spec_to_json(spec: JobSpec) -> dict[str, Any]:
    """A job's spec, defaults left out."""
    return cast("dict[str, Any]", _SPEC.dump_python(spec, exclude_defaults=True))


def spec_from_json(fields: Mapping[str, Any]) -> JobSpec:
    """The spec that `spec_to_json` was given."""
    return _SPEC.validate_python(fields)


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS[kind])
