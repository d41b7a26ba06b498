"""What is written below SQLAlchemy's Core is what Core would have written, on both databases."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from anabranch.service.store.sql.columns import ExactJson, Json, PlainText, UtcTime
from anabranch.service.store.sql.prepared import Prepared
from anabranch.service.store.store import Store

notes = Table(
    "notes",
    MetaData(),
    Column("id", PlainText, primary_key=True),
    Column("text", PlainText),
    Column("at", UtcTime),
    Column("told", Json),
    Column("exact", ExactJson),
    Column("count", Integer, nullable=False, server_default="7"),
    Column("large", BigInteger),
    Column("cost", Double),
    Column("over", Boolean),
)
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
ROWS: Sequence[Mapping[str, Any]] = (
    {"text": "plain", "at": NOON, "told": {"b": 1, "a": [None, 0.5]}, "exact": '{"b": 1,  "a": 1e400}'},
    {"text": "nul \x00, half \ud800, whole \U0001f9ea", "told": {"\x00": float("inf")}, "exact": "[]"},
    {"at": NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), "told": [], "large": 2**62},
    {"text": "", "told": "", "cost": -0.1, "over": True, "large": -1},
    {"over": False, "cost": 1e300},
)
GIVEN = ("text", "at", "told", "exact", "large", "cost", "over")
CHANGE = (
    update(notes)
    .where(notes.c.id == bindparam("key_id", type_=PlainText()))
    .values(
        count=notes.c["count"] + bindparam("add_count", type_=Integer()),
        text=func.coalesce(notes.c.text, bindparam("first_text", type_=PlainText())),
        at=bindparam("set_at", type_=UtcTime()),
    )
)


def rows_of(writer: str) -> list[dict[str, Any]]:
    return [{"id": f"{writer} {number}", **dict.fromkeys(GIVEN), **row} for number, row in enumerate(ROWS)]


def read_of(connection: Connection, writer: str) -> list[tuple[Any, ...]]:
    its = select(notes).where(notes.c.id.startswith(writer)).order_by(notes.c.id)
    return [tuple(row)[1:] for row in connection.execute(its)]


@pytest.fixture
async def empty_notes(store: Store) -> Store:
    await store.database.write(notes.metadata.create_all)
    return store


@pytest.mark.parametrize("many", [1, len(ROWS)])
async def test_rows_are_written_changed_and_deleted_as_by_core(empty_notes: Store, many: int) -> None:
    def work(connection: Connection) -> None:
        insertion = Prepared(insert(notes), ["id", *GIVEN])
        change, removal = Prepared(CHANGE), Prepared(delete(notes).where(notes.c.id == bindparam("gone")))
        by_core, below = rows_of("core")[:many], rows_of("below")[:many]
        connection.execute(insert(notes), by_core)
        insertion.run(connection, below)
        assert read_of(connection, "below") == read_of(connection, "core")
        assert len(read_of(connection, "below")) == many
        assert read_of(connection, "below")[0][3:5] == ('{"b": 1,  "a": 1e400}', 7)

        told = {"add_count": 3, "first_text": "first \x00", "set_at": NOON + timedelta(microseconds=1)}
        connection.execute(CHANGE, [{"key_id": row["id"], **told} for row in by_core])
        change.run(connection, [{"key_id": row["id"], **told} for row in below])
        assert read_of(connection, "below") == read_of(connection, "core")
        assert read_of(connection, "below")[0][3:5] == ('{"b": 1,  "a": 1e400}', 10)

        removal.run(connection, [{"gone": row["id"]} for row in below])
        assert read_of(connection, "below") == []
        assert len(read_of(connection, "core")) == many

    await empty_notes.database.write(work)


async def test_a_moment_without_a_time_zone_is_refused(empty_notes: Store) -> None:
    row = {"id": "naive", "at": datetime(2026, 11, 28)}  # noqa: DTZ001 - it is what is refused
    with pytest.raises(ValueError, match="has no time zone"):
        await empty_notes.database.write(
            lambda connection: Prepared(insert(notes), list(row)).run(connection, [row])
        )


async def test_a_row_that_lacks_a_value_is_refused(empty_notes: Store) -> None:
    with pytest.raises(KeyError, match="text"):
        await empty_notes.database.write(
            lambda connection: Prepared(insert(notes), ["id", "text"]).run(connection, [{"id": "short"}])
        )
