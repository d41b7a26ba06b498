"""Finds jobs by a part of their question, by an index of trigrams: SQLite's FTS5, or PostgreSQL's pg_trgm.

The index tells who may match; `contains` decides. Upper and lower case are the same: of all letters on PostgreSQL, of
ASCII on SQLite. Migration 0003 makes the index where the database can have one.
"""

import re

from sqlalchemy import ColumnElement, Connection, func, literal, literal_column, select, text

from anabranch.dag.ids import JobId
from anabranch.service.store.sql.columns import PlainText
from anabranch.service.store.sql.storable import storable_text
from anabranch.service.store.sql.tables import jobs

SEARCHED = 20_000
"""Letters of a question, from its beginning, that are searched."""
MOST_TRIGRAMS = 32
"""Of a sought text; more of them exclude hardly anything."""

_QUESTION: ColumnElement[str] = literal_column(f"substr(jobs.question, 1, {SEARCHED})", PlainText())
_WORD = re.compile(r"[^\W_]{3}")


def contains(connection: Connection, sought: str) -> ColumnElement[bool]:
    """Whether the text is a part of a job's question."""
    return letters(connection, _QUESTION, sought)


def letters(connection: Connection, within: ColumnElement[str], sought: str) -> ColumnElement[bool]:
    """Whether the letters stand in a text, whatever their case."""
    if connection.dialect.name == "postgresql":
        return within.ilike(_escaped(sought))
    return func.instr(func.lower(within), func.lower(literal(sought, PlainText()))) > 0


def find_candidates(connection: Connection, sought: str, most: int) -> list[JobId] | None:
    """Up to so many jobs, among them all that may match if there are fewer; None where no index can tell."""
    if not _is_indexed(connection, sought):
        return None
    if connection.dialect.name == "postgresql":
        # Materialized, so that it is planned to be read as a whole: by the index, and not along the newest jobs.
        found = select(jobs.c.id).where(contains(connection, sought)).cte("found").prefix_with("MATERIALIZED")
        return list(connection.execute(select(found.c.id).limit(most)).scalars())
    by_trigrams = text(
        "SELECT job_id FROM searched_text JOIN searched ON n = searched_text.rowid"
        " WHERE searched_text MATCH :trigrams LIMIT :most"
    )
    return list(connection.execute(by_trigrams, {"trigrams": _trigrams(sought), "most": most}).scalars())


def _is_indexed(connection: Connection, sought: str) -> bool:
    if connection.dialect.name == "postgresql":
        there = text(
            "SELECT EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('jobs_searched') AND indisvalid)"
        )
        return _WORD.search(sought) is not None and bool(connection.execute(there).scalar_one())
    there = text("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'searched_text')")
    return len(storable_text(sought)) >= 3 and bool(connection.execute(there).scalar_one())


def _trigrams(sought: str) -> str:
    """FTS5's query for texts that hold all of these."""
    clean = storable_text(sought)
    distinct = dict.fromkeys(clean[start : start + 3] for start in range(len(clean) - 2))
    return " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in list(distinct)[:MOST_TRIGRAMS])


def _escaped(sought: str) -> ColumnElement[str]:
    marked = re.sub(r"([\\%_])", r"\\\1", sought)
    return literal(f"%{marked}%", PlainText())
