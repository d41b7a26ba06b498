"""Describes one span as OpenTelemetry knows it, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Value = str | bool | int | float | tuple[str, ...]


class Kind(StrEnum):
    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"


class Status(StrEnum):
    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An edge that is not the parent: what a join, a merge or a dependent branch waited for."""

    span_id: str
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span of one job's trace."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: Kind
    start_ns: int
    """Unix nanoseconds."""
    end_ns: int
    status: Status
    attributes: Mapping[str, Value]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, as OpenTelemetry's logs know it: it happened within a span."""

    trace_id: str
    span_id: str
    name: str
    at_ns: int
    """Unix nanoseconds."""
    attributes: Mapping[str, Any]
    """Structured where the conventions say so."""
