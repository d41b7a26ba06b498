"""Reads the database's own clock, which alone decides when a lease ends: organizers' clocks may differ."""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Double, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from anabranch.service.store.sql.columns import UtcTime


class _Now(FunctionElement[Any]):
    """This moment, not the beginning of the transaction, plus so many seconds."""

    type = UtcTime()
    name = "database_now"
    inherit_cache = True


def now() -> ColumnElement[Any]:
    """The moment at which the database evaluates this."""
    return later(0.0)


def later(seconds: float | BindParameter[float]) -> ColumnElement[Any]:
    """That moment, and so many seconds."""
    given = seconds if isinstance(seconds, BindParameter) else bindparam(None, seconds, type_=Double())
    return _Now(given)


@compiles(_Now, "postgresql")
def _on_postgres(element: _Now, compiler: Any, **options: Any) -> str:
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **options)}))"


@compiles(_Now, "sqlite")
def _on_sqlite(element: _Now, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    # SQLite's clock has milliseconds; the zeros give the text the width that all times have.
    return f"strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', {seconds} || ' seconds')"
