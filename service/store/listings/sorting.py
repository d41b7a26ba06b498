"""Says by what jobs that have ended can be sorted: numbers that no longer change, so that pages of them stay put.

An index holds each of them, of ended jobs alone, so that a running one costs nothing (`jobs_most_…`). Cost has one on
SQLite only: it changes while a job runs, and PostgreSQL would write each of the table's indexes anew with each of its
commits; there, a page sorted by cost reads all ended jobs.
"""

import base64
import json
from collections.abc import Mapping
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, Double, literal, literal_column

from anabranch.service.store.errors import BadCursor
from anabranch.service.store.listings.cursors import read_cursor
from anabranch.service.store.sql.columns import PlainText


class Sort(StrEnum):
    """The greatest first."""

    TOKENS = "tokens"
    """All that were decoded."""
    TIME = "time"
    """Seconds from the claim to the end."""
    PATH = "path"
    """Seconds of the critical path."""
    CLAIM = "claim"
    """Seconds until an organizer took it."""
    WASTE = "waste"
    """The share of tokens that no answer used."""
    COST = "cost"
    BRANCHES = "branches"


METRICS: Mapping[Sort, str] = {
    Sort.TOKENS: "total_tokens",
    Sort.TIME: "wall_seconds",
    Sort.PATH: "critical_path_seconds",
    Sort.CLAIM: "queue_seconds",
    Sort.BRANCHES: "branches",
}


def value_of(connection: Connection, sort: Sort) -> ColumnElement[float]:
    """What a job is sorted by, to the letter as its index has it (migration 0018): else no index serves."""
    metric = METRICS.get(sort)
    if sort is Sort.COST:
        told = "jobs.cost"
    elif connection.dialect.name == "postgresql":
        told = _number_in_postgres(metric) if metric else _WASTE_IN_POSTGRES
    else:
        told = _number_in_sqlite(metric) if metric else _WASTE_IN_SQLITE
    return literal_column(told, Double())


def _number_in_sqlite(metric: str) -> str:
    return f"coalesce(json_extract(jobs.metrics, '$.{metric}'), 0)"


def _number_in_postgres(metric: str) -> str:
    return f"coalesce((jobs.metrics ->> '{metric}')::float8, 0)"


_WASTE_IN_SQLITE = (
    f"({_number_in_sqlite('waste_tokens')} * 1.0 / max(1, {_number_in_sqlite('total_tokens')}))"
)
_WASTE_IN_POSTGRES = (
    f"({_number_in_postgres('waste_tokens')} / greatest(1, {_number_in_postgres('total_tokens')}))"
)


def sorted_cursor(value: float, job: str) -> str:
    """The cursor of the page that follows this job."""
    return base64.urlsafe_b64encode(json.dumps([value, job]).encode()).decode()


def sorted_place(cursor: str) -> tuple[ColumnElement[float], ColumnElement[str]]:
    """The number of the last job of the page before, and its id. Raises BadCursor."""
    value, job = read_cursor(cursor)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadCursor
    return literal(float(value), Double()), literal(job, PlainText())
