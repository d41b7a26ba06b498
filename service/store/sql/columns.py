"""Defines column types that mean the same on SQLite and PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, ColumnElement, DateTime, Dialect, String, Text, cast
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from anabranch.service.store.sql.storable import storable_text

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""For projections: what SQL users look into."""


class PlainText(TypeDecorator[str]):
    """Text from anywhere: what neither database holds is replaced, when it is stored and when it is looked up."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        return _storable(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002
        """The same without SQLAlchemy's wrapper: it runs for each text of each row that is written."""
        return _storable


class ExactJson(UserDefinedType[str]):
    """JSON kept letter by letter, as it was hashed: JSONB would sort keys and write numbers its own way."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "JSON"

    def column_expression(self, colexpr: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(colexpr, Text)  # or else PostgreSQL's driver would parse it


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC with microseconds.

    SQLite has no such type: there it is RFC 3339 text of fixed width, which sorts as time does and which SQLite's own
    date functions read.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String(27) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return self.bind_processor(dialect)(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """Without SQLAlchemy's wrapper, as `PlainText`."""
        return _text_of if dialect.name == "sqlite" else _aware

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value) if dialect.name == "sqlite" else value.astimezone(UTC)


def _storable(value: str | None) -> str | None:
    return None if value is None else storable_text(value)


def _aware(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment


def _text_of(moment: datetime | None) -> str | None:
    aware = _aware(moment)
    return None if aware is None else utc_text(aware)


@lru_cache(maxsize=64)
def utc_text(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and Z. Remembered: all rows of a commit have the same few moments."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
