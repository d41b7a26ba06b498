"""Encodes cursors of listings: a place between two jobs, opaque to clients."""

import base64
import json
from datetime import datetime

from sqlalchemy import ColumnElement, literal

from anabranch.service.store.errors import BadCursor
from anabranch.service.store.sql.columns import PlainText, UtcTime, utc_text


def cursor_at(created_at: datetime, job: str) -> str:
    """The cursor of the page that follows this job."""
    return base64.urlsafe_b64encode(json.dumps([utc_text(created_at), job]).encode()).decode()


def place_of(cursor: str) -> tuple[ColumnElement[datetime], ColumnElement[str]]:
    """When the last job of the page before was made, and its id. Raises BadCursor."""
    try:
        at, job = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        moment = datetime.fromisoformat(at)
    except (ValueError, TypeError) as error:  # not base64, not JSON, not a pair, not a time
        raise BadCursor from error
    if moment.tzinfo is None or not isinstance(job, str):
        raise BadCursor
    return literal(moment, UtcTime()), literal(job, PlainText())
