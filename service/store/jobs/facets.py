"""Conditions on jobs that no index serves: with what they were asked for, how they failed, and what was said in them.

`listing.py` checks them job by job, among so many jobs as one page may look at. What is said counts from its beginning
only, and of a job's first branches: neither costs more for a longer text or a wider job.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Connection, String, case, cast, exists, func, literal, or_, select

from anabranch.service.store.jobs.search import SEARCHED, contains, letters
from anabranch.service.store.sql.columns import PlainText
from anabranch.service.store.sql.tables import branches, jobs

Part = Literal["metadata", "params", "budget"]

MOST_BRANCHES = 1000
"""Of a job, by their paths as text, whose outputs are searched."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of what was asked: a text as it is, a number or a boolean as JSON writes it."""

    part: Part
    key: str
    value: str


def asked_with(connection: Connection, fact: Fact) -> ColumnElement[bool]:
    """Whether a job was asked for with this value. A value that is an object, a list or null is none."""
    if connection.dialect.name == "postgresql":
        value = func.jsonb_extract_path_text(jobs.c.spec, fact.part, fact.key)
        return value == literal(fact.value, PlainText())
    each = func.json_each(jobs.c.spec, f"$.{fact.part}").table_valued("key", "value", "type")
    told = case(
        (each.c.type.in_(("true", "false")), each.c.type),
        (each.c.type.in_(("object", "array", "null")), None),
        else_=cast(each.c.value, String),
    )
    of = select(1).select_from(each)
    return exists(
        of.where(each.c.key == literal(fact.key, PlainText()), told == literal(fact.value, PlainText()))
    )


def asked_for(connection: Connection, field: Literal["model", "seed"], value: str) -> ColumnElement[bool]:
    """Whether a job was asked for with this model, or this seed."""
    if connection.dialect.name == "postgresql":
        told: ColumnElement[str] = func.jsonb_extract_path_text(jobs.c.spec, field)
    else:
        told = cast(func.json_extract(jobs.c.spec, f"$.{field}"), String)
    return func.coalesce(told, "0" if field == "seed" else "") == literal(value, PlainText())


def failed_as(connection: Connection, kind: str) -> ColumnElement[bool]:
    """Whether a job failed with an error of this type."""
    return _in_json(connection, jobs.c.error, "type") == literal(kind, PlainText())


def says(connection: Connection, sought: str) -> ColumnElement[bool]:
    """Whether the text is a part of a job's question, its answer, its error, or what one of its branches gave."""
    own = [
        _in_json(connection, jobs.c.answer, "text"),
        _in_json(connection, jobs.c.error, "title"),
        _in_json(connection, jobs.c.error, "detail"),
        _in_json(connection, jobs.c.error, "type"),
    ]
    first = (
        select(branches.c.value, branches.c.cause)
        .where(branches.c.job_id == jobs.c.id)
        .correlate(jobs)
        .order_by(branches.c.branch)
        .limit(MOST_BRANCHES)
        .subquery()
    )
    given = exists(
        select(1).select_from(first).where(_any(connection, (first.c.value, first.c.cause), sought))
    )
    return or_(contains(connection, sought), _any(connection, own, sought), given)


def _any(connection: Connection, texts: Sequence[ColumnElement[str]], sought: str) -> ColumnElement[bool]:
    heads = [func.substr(text, 1, SEARCHED, type_=PlainText()) for text in texts]
    return or_(*(func.coalesce(letters(connection, head, sought), False) for head in heads))


def _in_json(connection: Connection, column: ColumnElement[object], key: str) -> ColumnElement[str]:
    extract = func.jsonb_extract_path_text if connection.dialect.name == "postgresql" else func.json_extract
    path = key if connection.dialect.name == "postgresql" else f"$.{key}"
    value: ColumnElement[str] = extract(column, path)
    return value
