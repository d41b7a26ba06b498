"""Conditions on jobs that no index serves: with what they were asked for, how they failed, and what was said in them.

`listing.py` checks them job by job, among so many jobs as one page may look at. What is said counts from its beginning
only, and of a job's first branches: neither costs more for a longer text or a wider job.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Numeric,
    String,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
)

from anabranch.service.store.listings.search import SEARCHED, contains, letters
from anabranch.service.store.sql.columns import PlainText
from anabranch.service.store.sql.tables import branches, jobs

Part = Literal["metadata", "params", "budget"]

DIGITS = 300
"""Of a number, before its point or behind it."""
MOST_BRANCHES = 1000
"""Of a job, by their paths as text, whose outputs are searched."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of what was asked: a text as it is, a number or a boolean as JSON writes it."""

    part: Part
    key: str
    value: str


def asked_with(connection: Connection, fact: Fact) -> ColumnElement[bool]:
    """Whether a job was asked for with this value, or with the same number. An object, a list or null is no value."""
    number, key = _number(fact.value), literal(fact.key, PlainText())
    if connection.dialect.name == "postgresql":
        value = func.jsonb_extract_path_text(jobs.c.spec, fact.part, key)
        kind = func.jsonb_typeof(func.jsonb_extract_path(jobs.c.spec, fact.part, key))
        same_number = false() if number is None else cast(value, Numeric) == literal(number, Numeric)
        same_text = value == literal(fact.value, PlainText())
        return case(
            (kind == "number", same_number), (kind.in_(("string", "boolean")), same_text), else_=False
        )
    each = func.json_each(jobs.c.spec, f"$.{fact.part}").table_valued("key", "value", "type")
    told = case(
        (each.c.type.in_(("true", "false")), each.c.type),
        (each.c.type.in_(("object", "array", "null")), None),
        else_=cast(each.c.value, String),
    )
    same = told == literal(fact.value, PlainText())
    if number is not None:
        same |= each.c.type.in_(("integer", "real")) & (each.c.value == literal(float(number)))
    return exists(select(1).select_from(each).where(each.c.key == key, same))


def _number(text: str) -> Decimal | None:
    """The number that the text is; None where it is none, or one that no JSON has."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < DIGITS else None


def asked_for(connection: Connection, field: Literal["model", "seed"], value: str) -> ColumnElement[bool]:
    """Whether a job was asked for with this model, or this seed."""
    if connection.dialect.name == "postgresql":
        told: ColumnElement[str] = func.jsonb_extract_path_text(jobs.c.spec, field)
    else:
        told = cast(func.json_extract(jobs.c.spec, f"$.{field}"), String)
    return func.coalesce(told, "0" if field == "seed" else "") == literal(value, PlainText())


def told_of_error(connection: Connection, part: Literal["type", "title"]) -> ColumnElement[str]:
    """What a failed job's error says of itself."""
    return _in_json(connection, jobs.c.error, part)


def failed_as(connection: Connection, part: Literal["type", "title"], told: str) -> ColumnElement[bool]:
    """Whether a job failed with an error of this type, or title."""
    return told_of_error(connection, part) == literal(told, PlainText())


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
