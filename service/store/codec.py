"""Encodes events as the journal stores them: a kind, a branch, and the other fields as JSON, defaults left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, cast

from pydantic import TypeAdapter, ValidationError

from anabranch.dag.events import KINDS, Event
from anabranch.dag.ids import BranchId
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
class UnknownEvent:
    """An event that only a newer release can read, as it stands in the journal."""

    kind: str
    branch: BranchId
    payload: str
    """JSON."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event on its way into the journal."""

    event: Event
    """As it will be read back: equal to what was given, but for what no database can hold (see `storable`)."""
    kind: str
    payload: str
    """JSON, as it is stored and hashed."""


def encode(event: Event | UnknownEvent) -> Encoded:
    """The event as it will be stored."""
    kind = kind_of(event)
    if isinstance(event, UnknownEvent):
        return Encoded(cast("Event", event), kind, event.payload)
    fields = _adapter(kind).dump_python(event, exclude_defaults=True, exclude=_OWN_COLUMN)
    payload = storable_json(fields)
    if payload is not None:
        return Encoded(event, kind, payload)
    mended = storable(fields)
    return Encoded(decode(kind, event.branch, mended), kind, json_text(mended))


def decode(kind: str, branch: str, payload: Mapping[str, Any]) -> Event:
    """The event that `encode` was given. Raises UnreadableFormat for a format, a kind, a field or a value that this
    release does not know: for whoever acts on the event, or folds a whole journal."""
    _require_known(kind, payload)
    return _validate(kind, branch, payload, extra="forbid")


def decode_known(kind: str, branch: str, payload: Mapping[str, Any]) -> Event:
    """The same for whoever shows or passes on single events: fields that this release does not know are left out. An
    event that it cannot read is an UnknownEvent, which is none of the kinds that anybody matches."""
    try:
        _require_known(kind, payload)
        return _validate(kind, branch, payload, extra="ignore")
    except UnreadableFormat:
        return cast("Event", UnknownEvent(kind, BranchId(branch), json_text(payload)))


def kind_of(event: Event | UnknownEvent) -> str:
    """By which name the journal has it."""
    return event.kind if isinstance(event, UnknownEvent) else type(event).__name__


def spec_to_json(spec: JobSpec) -> dict[str, Any]:
    """A job's spec, defaults left out."""
    return cast("dict[str, Any]", _SPEC.dump_python(spec, exclude_defaults=True))


def spec_from_json(fields: Mapping[str, Any]) -> JobSpec:
    """The spec that `spec_to_json` was given."""
    return _SPEC.validate_python(fields)


def _require_known(kind: str, payload: Mapping[str, Any]) -> None:
    written = payload.get(FORMAT_KEY, 1)
    if written > FORMAT:
        raise UnreadableFormat(f"events of format {written}, and this release reads up to {FORMAT}")
    if kind not in KINDS:
        raise UnreadableFormat(f"an event of the kind {kind!r}, which this release does not know")


def _validate(
    kind: str, branch: str, payload: Mapping[str, Any], extra: Literal["forbid", "ignore"]
) -> Event:
    try:
        read = _adapter(kind).validate_python({**payload, "branch": branch}, extra=extra)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UnreadableFormat(f"an event {kind} whose {where} this release does not know") from error
    return cast("Event", read)


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(KINDS[kind])
