"""How SQLite is opened, and what is made of a driver's words."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from tests.databases import Databases

from anabranch.service.store.errors import StoreAway, StoreRefuses
from anabranch.service.store.sql import database
from anabranch.service.store.sql.database import sqlite_file, with_driver
from anabranch.service.store.sql.faults import is_away, raise_store_away, waited_for_lock
from anabranch.service.store.store import Store


@pytest.fixture
def sqlite_url(databases: Databases) -> str:
    return databases.new("sqlite")


def pragma(name: str) -> database.Work[object]:
    return lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


async def test_who_meets_a_locked_file_waits_and_who_reads_cannot_write(sqlite_url: str) -> None:
    async with Store(sqlite_url) as store:
        doors = (store.database.read, store.database.write)
        assert [await door(pragma("busy_timeout")) for door in doors] == [
            database.LOCK_TIMEOUT_SECONDS * 1000
        ] * 2
        assert [await door(pragma("query_only")) for door in doors] == [1, 0]
        with pytest.raises(OperationalError, match="readonly"):
            await store.database.read(lambda connection: connection.execute(text("DELETE FROM jobs")))


@contextmanager
def held(path: Path) -> Iterator[Callable[[], None]]:
    """Somebody else opens a new file, until what is given here is called."""
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    yield other.close
    other.close()


def test_a_new_file_that_others_open_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = sqlite3.connect(tmp_path / "new.db", timeout=0)
    with held(tmp_path / "new.db") as let_go:
        monkeypatch.setattr(time, "sleep", lambda _: let_go())
        database._keep_write_ahead_log(connection)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_new_file_that_stays_locked_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCK_TIMEOUT_SECONDS", 0.1)
    connection = sqlite3.connect(tmp_path / "new.db", timeout=0)
    with held(tmp_path / "new.db"), pytest.raises(sqlite3.OperationalError, match="locked"):
        database._keep_write_ahead_log(connection)
    connection.close()


def test_what_waiting_does_not_mend_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite3.connect(tmp_path / "old.db").execute("CREATE TABLE t (x)")
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    connection = sqlite3.connect(f"file:{tmp_path}/old.db?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database._keep_write_ahead_log(connection)
    connection.close()


async def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(StoreRefuses, match="file is not a database"):
        async with Store(f"sqlite:///{file}") as store:
            await store.jobs.list_page()
    assert file.read_text().startswith("Dear Sir")


async def test_a_file_in_a_folder_that_is_not_there_is_away(tmp_path: Path) -> None:
    with pytest.raises(StoreAway):
        async with Store(f"sqlite:///{tmp_path}/nowhere/jobs.db") as store:
            await store.jobs.list_page()


async def test_a_fault_of_ours_is_told_as_it_is(sqlite_url: str) -> None:
    async with Store(sqlite_url) as store:
        with pytest.raises(DBAPIError, match="no such table"):
            await store.database.read(lambda connection: connection.execute(text("SELECT * FROM none_such")))


def test_only_the_database_is_away_not_the_statement() -> None:
    def told(error: BaseException) -> bool:
        return is_away(DBAPIError("SELECT 1", {}, error))

    busy, plain = sqlite3.OperationalError("database is locked"), sqlite3.OperationalError("no such table")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY_SNAPSHOT
    plain.sqlite_errorcode = sqlite3.SQLITE_ERROR
    assert (told(busy), told(plain), told(sqlite3.Error("without a code"))) == (True, False, False)
    assert (is_away(ConnectionRefusedError()), is_away(ValueError())) == (True, False)


class PostgresError(Exception):
    """As asyncpg's."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("it said so")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "lost", "raised"),
    [
        ("57P01", False, StoreAway),
        ("55P03", False, StoreAway),
        ("42P01", True, DBAPIError),
        ("28P01", False, StoreRefuses),
        ("3D000", False, StoreRefuses),
        (None, True, StoreAway),
        (None, False, DBAPIError),
    ],
)
def test_what_postgresql_says_is_told_apart(
    sqlstate: str | None, lost: bool, raised: type[Exception]
) -> None:
    error = DBAPIError("SELECT 1", {}, PostgresError(sqlstate), connection_invalidated=lost)
    with pytest.raises(raised) as told, raise_store_away():
        raise error
    if isinstance(told.value, StoreAway):
        assert waited_for_lock(told.value) is (sqlstate == "55P03")
    if isinstance(told.value, StoreRefuses):
        assert "it said so" in str(told.value)


def test_who_waited_for_no_statement_waited_for_no_lock() -> None:
    with pytest.raises(StoreAway) as told, raise_store_away():
        raise ConnectionRefusedError
    assert not waited_for_lock(told.value)


def test_a_url_names_a_file_where_it_is_sqlites() -> None:
    assert sqlite_file("sqlite:////var/jobs.db") == Path("/var/jobs.db")
    assert sqlite_file("postgresql://host/jobs") is None
    assert str(with_driver("postgresql+psycopg://host/jobs")) == "postgresql+asyncpg://host/jobs"
    for url in ("sqlite://", "sqlite:///:memory:", "mysql://host/jobs"):
        with pytest.raises(ValueError, match=r"sqlite:///FILE"):
            with_driver(url)
