"""Opens one database behind three doors: `write`, `read`, `snapshot`. What differs between SQLite and PostgreSQL is
here.

Each door takes a plain function of a connection and runs it as a whole: for SQLite in a thread of its own (one hop per
transaction, not one per statement, is what makes commits quick), for PostgreSQL on the event loop, through asyncpg.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, func, make_url, select
from sqlalchemy.ext.asyncio import create_async_engine

from anabranch.service.store.errors import DriverMissing, StoreRefuses
from anabranch.service.store.sql.faults import raise_store_away
from anabranch.service.store.sql.postgres_url import TRANSLATED, asyncpg_dsn, check_files, server_settings
from anabranch.service.store.sql.storable import json_text

STATEMENT_TIMEOUT_SECONDS = 30
LOCK_TIMEOUT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 5
CONNECTIONS = 10

MIGRATING = 4_021_976_551
"""PostgreSQL's advisory lock of who migrates. Any number will do, as long as all releases take the same."""
ASK_AGAIN_SECONDS = 0.1

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}

T = TypeVar("T")
Work = Callable[[Connection], T]


class Database:
    """Connections to one store; made when they are needed. All methods raise StoreAway."""

    def __init__(self, url: str, connections: int = CONNECTIONS, beside: "Database | None" = None) -> None:
        """`connections` are those that PostgreSQL is asked for at most. `beside` is another of this process, which is
        open for longer: both write SQLite's file by its connection, in turn. Raises DriverMissing, and StoreRefuses
        where the URL names a file that is not there."""
        self.url = with_driver(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._doors: _Sqlite | _Postgres
        if self.sqlite:
            other = beside._doors if beside is not None else None  # noqa: SLF001 - of the same class
            self._doors = _Sqlite(self.url, other.writer if isinstance(other, _Sqlite) else None)
        else:
            self._doors = _Postgres(self.url, connections)

    async def write(self, work: Work[T]) -> T:
        """Does the work in a transaction that may write, and commits it."""
        with raise_store_away():
            return await self._doors.write(work)

    async def read(self, work: Work[T]) -> T:
        """Does work that only reads; each statement sees what is committed by then."""
        with raise_store_away():
            return await self._doors.read(work)

    async def snapshot(self, work: Work[T]) -> T:
        """Does work that only reads; all its statements see the same moment."""
        with raise_store_away():
            return await self._doors.snapshot(work)

    async def migrate(self, work: Work[T]) -> T:
        """Does work that may commit in between, while no other process migrates this database."""
        with raise_store_away():
            return await self._doors.migrate(work)

    async def close(self) -> None:
        await self._doors.close()


def with_driver(url: str) -> URL:
    """The URL with the driver that the store uses. Raises ValueError for databases that are none."""
    parsed = make_url(url)
    backend = parsed.drivername.split("+", maxsplit=1)[0]
    if backend not in _DRIVERS:
        raise ValueError(f"{parsed.drivername} is no store: use sqlite:///FILE or postgresql://HOST/NAME")
    if backend == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ValueError(
            "SQLite needs a file: sqlite:///FILE. A store in memory would not outlive the process"
        )
    return parsed.set(drivername=_DRIVERS[backend])


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for any other."""
    parsed = with_driver(url)
    return Path(parsed.database) if parsed.drivername.startswith("sqlite") and parsed.database else None


class _SqliteWriter:
    """One connection that writes a file, and one thread for it: waiting for a thread is fair and quick, waiting for
    SQLite's own write lock is neither.
    """

    def __init__(self, url: URL) -> None:
        self._engine = _sqlite_writer(url)
        self.threads = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._kept: Connection | None = None

    def transact(self, work: Work[T]) -> T:
        """In this thread. The connection is kept for the next one: to take it from a pool, and to give it back, costs
        as much as a statement. One on which anything went wrong is not kept."""
        connection = self._kept or self._engine.connect()
        self._kept = None
        try:
            with connection.begin():
                done = work(connection)
        except BaseException:
            connection.close()
            raise
        self._kept = connection
        return done

    def dispose(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self._engine.dispose()


class _Sqlite:
    """The connection that writes, and a few that only read."""

    READERS = 4

    def __init__(self, url: URL, writer: "_SqliteWriter | None" = None) -> None:
        self._is_own = writer is None
        self.writer = writer or _SqliteWriter(url)
        self._reader = _sqlite_reader(url, self.READERS)
        self._reading = ThreadPoolExecutor(self.READERS, thread_name_prefix="store-read")

    async def write(self, work: Work[T]) -> T:
        return await self._in(self.writer.threads, lambda: self.writer.transact(work))

    async def read(self, work: Work[T]) -> T:
        def reading() -> T:
            with self._reader.connect() as connection:
                return work(connection)

        return await self._in(self._reading, reading)

    async def snapshot(self, work: Work[T]) -> T:
        def frozen() -> T:
            with self._reader.connect() as connection:
                connection.exec_driver_sql("BEGIN")
                try:
                    return work(connection)
                finally:
                    connection.exec_driver_sql("ROLLBACK")

        return await self._in(self._reading, frozen)

    async def migrate(self, work: Work[T]) -> T:
        return await self.write(work)  # the file has one writer

    async def close(self) -> None:
        writing = [(self.writer.threads, self.writer.dispose)] if self._is_own else []
        for threads, dispose in (*writing, (self._reading, self._reader.dispose)):
            await self._in(threads, dispose)
            threads.shutdown(wait=False)

    async def _in(self, threads: ThreadPoolExecutor, do: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(threads, do)


class _Postgres:
    """One pool for all."""

    def __init__(self, url: URL, connections: int) -> None:
        words = {name: values[-1] for name, values in url.normalized_query.items()}
        settings = {
            "application_name": "anabranch",
            **server_settings(words),
            "timezone": "UTC",
            "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
            "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        }
        if find_spec("asyncpg") is None:
            raise DriverMissing
        try:
            check_files(words)
        except OSError as error:
            raise StoreRefuses(error) from error
        self._writer = create_async_engine(
            url.difference_update_query(TRANSLATED),
            json_serializer=json_text,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=LOCK_TIMEOUT_SECONDS,
            connect_args={
                "dsn": asyncpg_dsn(words),
                "server_settings": settings,
                "timeout": float(words.get("connect_timeout", CONNECT_TIMEOUT_SECONDS)),
                "command_timeout": STATEMENT_TIMEOUT_SECONDS + CONNECT_TIMEOUT_SECONDS,
            },
        )
        self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")
        self._frozen = self._writer.execution_options(isolation_level="REPEATABLE READ")

    async def write(self, work: Work[T]) -> T:
        async with self._writer.begin() as connection:
            return await connection.run_sync(work)

    async def read(self, work: Work[T]) -> T:
        async with self._reader.connect() as connection:
            return await connection.run_sync(work)

    async def snapshot(self, work: Work[T]) -> T:
        async with self._frozen.connect() as connection:
            return await connection.run_sync(work)

    async def migrate(self, work: Work[T]) -> T:
        async with self._writer.connect() as connection:
            # Asked for again and again: a session that waits for the lock would hold up CREATE INDEX CONCURRENTLY.
            while not await connection.scalar(select(func.pg_try_advisory_lock(MIGRATING))):
                await connection.rollback()
                await asyncio.sleep(ASK_AGAIN_SECONDS)
            await connection.commit()
            try:
                done = await connection.run_sync(work)
                await connection.commit()
            finally:
                await connection.rollback()
                await connection.scalar(select(func.pg_advisory_unlock(MIGRATING)))
                await connection.invalidate()  # with its settings
            return done

    async def close(self) -> None:
        await self._writer.dispose()


def _sqlite_writer(url: URL) -> Engine:
    engine = create_engine(url, json_serializer=json_text, poolclass=QueuePool, pool_size=1)

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        # NORMAL, WAL's usual companion, may lose the last commits with the power. Organizers act on what is committed.
        _set_up_sqlite(connection, "synchronous = FULL", "foreign_keys = ON")
        _keep_write_ahead_log(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # It takes the write lock at once: a transaction that reads first and writes later cannot wait, it fails.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _sqlite_reader(url: URL, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        json_serializer=json_text,
        poolclass=QueuePool,
        pool_size=pool_size,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )
    event.listen(engine, "connect", lambda connection, _record: _set_up_sqlite(connection, "query_only = ON"))
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, *pragmas: str) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself
    for pragma in (f"busy_timeout = {LOCK_TIMEOUT_SECONDS * 1000:.0f}", *pragmas):
        connection.execute(f"PRAGMA {pragma}")


def _keep_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switches a file to a write-ahead log. SQLite does not wait for others who open the same new file, it refuses at
    once, whatever the timeout says: so this waits. Raises sqlite3.OperationalError."""
    give_up_at = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
        else:
            return
        time.sleep(ASK_AGAIN_SECONDS)
