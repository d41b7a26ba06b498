"""Applies changes to the tables: many rows, few statements."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, update
from sqlalchemy.dialects import postgresql

from anabranch.dag.ids import JobId
from anabranch.service.store.projections.changes import Change
from anabranch.service.store.sql import tables
from anabranch.service.store.sql.prepared import Prepared

KEYS: Mapping[str, tuple[str, ...]] = {
    "jobs": ("id",),
    "branches": ("job_id", "branch"),
    "segments": ("job_id", "branch", "segment", "attempt"),
    "joins": ("job_id", "branch", "ordinal"),
    "approvals": ("job_id", "ordinal"),
}
"""The columns that name a row, the job's id first."""

_Columns = tuple[str, ...]
_Shape = tuple[str, _Columns, _Columns, _Columns]


def write(connection: Connection, changes: Iterable[tuple[JobId, Change]]) -> None:
    """Writes changes of any jobs' rows; no row may be named twice."""
    inserted: dict[str, list[dict[str, Any]]] = defaultdict(list)
    changed: dict[_Shape, list[dict[str, Any]]] = defaultdict(list)
    for job, change in changes:
        if change.insert:
            inserted[change.table].append(row_of(job, change))
        else:
            shape = (change.table, tuple(change.set), tuple(change.add), tuple(change.first))
            changed[shape].append(_parameters(job, change))
    for table, rows in inserted.items():
        _insertion(tables.metadata.tables[table], tuple(rows[0])).run(connection, rows)
    for shape, parameters in changed.items():
        _update(shape).run(connection, parameters)


def replace(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes whole rows, over those of the same primary key."""
    if rows:
        _upsert(table, tuple(rows[0])).run(connection, rows)


@cache
def _upsert(table: Table, columns: _Columns) -> Prepared:
    statement = postgresql.insert(table)  # SQLite reads the same text
    others = {name: statement.excluded[name] for name in columns if not table.c[name].primary_key}
    upsert = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=others)
    return Prepared(upsert, columns)


@cache
def _insertion(table: Table, columns: _Columns) -> Prepared:
    return Prepared(insert(table), columns)


def row_of(job: JobId, change: Change) -> dict[str, Any]:
    """Makes the whole row of a change that inserts one."""
    return {**dict(zip(KEYS[change.table], (job, *change.key), strict=True)), **change.set}


def _parameters(job: JobId, change: Change) -> dict[str, Any]:
    return {
        **{
            f"key_{column}": value
            for column, value in zip(KEYS[change.table], (job, *change.key), strict=True)
        },
        **{f"set_{column}": value for column, value in change.set.items()},
        **{f"add_{column}": value for column, value in change.add.items()},
        **{f"first_{column}": value for column, value in change.first.items()},
    }


@cache
def _update(shape: _Shape) -> Prepared:
    name, to_set, to_add, to_be_first = shape
    table: Table = tables.metadata.tables[name]

    def given(action: str, column: str) -> Any:
        return bindparam(f"{action}_{column}", type_=table.c[column].type)

    return Prepared(
        update(table)
        .where(*(table.c[column] == given("key", column) for column in KEYS[name]))
        .values({column: given("set", column) for column in to_set})
        .values({column: table.c[column] + given("add", column) for column in to_add})
        .values({column: func.coalesce(table.c[column], given("first", column)) for column in to_be_first})
    )
