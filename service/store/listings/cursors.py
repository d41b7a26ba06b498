"""Encodes cursors of listings: a place between two jobs, opaque to clients."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, literal

from anabranch.service.bounded_json import read_json
from anabranch.service.store.errors import BadCursor
from anabranch.service.store.sql.columns import PlainText, UtcTime, utc_text

LONGEST = 1000
"""Characters. Those that are given out have about a hundred."""


def cursor_at(created_at: datetime, job: str) -> str:
    """The cursor of the page that follows this job."""
    return base64.urlsafe_b64encode(json.dumps([utc_text(created_at), job]).encode()).decode()


def place_of(cursor: str) -> tuple[ColumnElement[datetime], ColumnElement[str]]:
    """When the last job of the page before was made, and its id. Raises BadCursor."""
    at, job = read_cursor(cursor)
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise BadCursor
        return literal(moment.astimezone(UTC), UtcTime()), literal(job, PlainText())
    except (ValueError, TypeError, OverflowError) as error:  # no time, or one that is in no year of UTC
        raise BadCursor from error


def read_cursor(cursor: str) -> tuple[Any, str]:
    """What the jobs are sorted by, of the last of the page before, and its id. Raises BadCursor."""
    if len(cursor) > LONGEST:
        raise BadCursor
    try:
        place, job = read_json(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError) as error:  # not base64, not JSON, not a pair
        raise BadCursor from error
    if not isinstance(job, str):
        raise BadCursor
    return place, job
