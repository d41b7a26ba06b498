"""Prepares statements that are run for many rows: their text, and how values are converted for the driver, are found
once.

SQLAlchemy's Core looks both up again for each row, which takes longer than the database takes to write it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Update

_Convert = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class _Text:
    """A statement as one database reads it, and its parameters in their order."""

    sql: str
    parameters: tuple[tuple[str, _Convert], ...]


class Prepared:
    """An INSERT, UPDATE or DELETE that is run often."""

    def __init__(self, statement: Insert | Update | Delete, columns: Iterable[str] | None = None) -> None:
        """`columns` are those that an INSERT is given; of a statement that names its parameters, none need be."""
        self._statement = statement
        self._columns = None if columns is None else list(columns)
        self._texts: dict[str, _Text] = {}

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Runs it once for each row, of which there is at least one. Raises KeyError for a row that lacks a value, and
        what else `Connection.execute` raises."""
        dialect = connection.dialect
        text = self._texts.get(dialect.name)
        if text is None:
            text = self._texts[dialect.name] = self._compile(dialect)
        order = text.parameters
        values = [
            tuple([row[name] if convert is None else convert(row[name]) for name, convert in order])
            for row in rows
        ]
        connection.exec_driver_sql(text.sql, values)

    def _compile(self, dialect: Dialect) -> _Text:
        compiled = self._statement.compile(dialect=dialect, column_keys=self._columns)
        assert compiled.positiontup is not None, "both drivers take parameters by their place"
        types = ((name, compiled.binds[name].type) for name in compiled.positiontup)
        return _Text(
            compiled.string,
            tuple((name, kind.dialect_impl(dialect).bind_processor(dialect)) for name, kind in types),
        )
