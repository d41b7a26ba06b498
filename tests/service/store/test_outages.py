"""A database that goes away: accepted jobs wait and lose nothing, new ones are told, nothing is written twice."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from sqlalchemy import URL, Connection, make_url, text
from tests.databases import Databases
from tests.service.store.scenes import claimed, forked, new_job

from anabranch.dag.events import TextPosted
from anabranch.service.store.errors import NotFound, StoreAway
from anabranch.service.store.journal import writer
from anabranch.service.store.sql import database
from anabranch.service.store.sql.database import Work
from anabranch.service.store.store import Store


class Wire:
    """Between a store and its PostgreSQL server. It may be cut and mended, and may lose the reply to a message."""

    def __init__(self, server: URL) -> None:
        self._server = (server.host, server.port)
        self._ends: set[asyncio.StreamWriter] = set()
        self._loses = b""
        self.cut = False
        self.lost = asyncio.Event()

    def lose_reply_to(self, message: bytes) -> None:
        self._loses = message

    def sever(self) -> None:
        self.cut = True
        self._close()

    async def carry(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._ends.add(to_client)
        if self.cut:
            self._close()
            return
        from_server, to_server = await asyncio.open_connection(*self._server)
        self._ends.add(to_server)
        losing = asyncio.Event()
        await asyncio.gather(
            self._forward(from_client, to_server, losing), self._back(from_server, to_client, losing)
        )

    async def _forward(
        self, client: asyncio.StreamReader, server: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await client.read(65536):
                if self._loses and self._loses in data:
                    losing.set()
                server.write(data)
        self._close()

    async def _back(
        self, server: asyncio.StreamReader, client: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await server.read(65536):
                if losing.is_set():
                    self._loses = b""
                    self.lost.set()
                    break
                client.write(data)
        self._close()

    def _close(self) -> None:
        for end in self._ends:
            end.close()
        self._ends.clear()


@pytest.fixture
def sqlite_url(databases: Databases) -> str:
    return databases.new("sqlite")


@pytest.fixture
def postgres_url(databases: Databases) -> str:
    return databases.new("postgres")


@pytest.fixture
async def wire(postgres_url: str) -> AsyncIterator[tuple[Wire, str]]:
    """A wire, and the URL of a PostgreSQL database at its other end."""
    url = make_url(postgres_url)
    laid = Wire(url)
    async with await asyncio.start_server(laid.carry, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield laid, url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)


def thoughts(count: int) -> list[TextPosted]:
    return [TextPosted(text=str(number)) for number in range(count)]


@pytest.mark.postgres
async def test_appends_wait_for_a_server_that_went_away(wire: tuple[Wire, str]) -> None:
    laid, url = wire
    async with Store(url) as store:
        claim = await claimed(store)
        laid.sever()
        waiting = [
            asyncio.create_task(store.journal.append(claim.job, claim.epoch, [each])) for each in thoughts(3)
        ]
        with pytest.raises(StoreAway, match="accepted jobs are kept"):
            await store.jobs.get(claim.job)
        assert not any(task.done() for task in waiting)
        laid.cut = False
        assert [(await task)[0].seq for task in waiting] == [3, 4, 5]
        assert (await store.maintenance.audit(claim.job)).sound


@pytest.mark.postgres
async def test_a_submission_is_told_at_once_and_writes_nothing(wire: tuple[Wire, str]) -> None:
    laid, url = wire
    new = new_job()
    async with Store(url) as store:
        laid.sever()
        with pytest.raises(StoreAway, match="Nothing was written"):
            await store.jobs.submit(new)
        laid.cut = False
        with pytest.raises(NotFound):
            await store.jobs.get(new.id)


@pytest.mark.postgres
async def test_a_commit_whose_reply_was_lost_is_not_written_again(wire: tuple[Wire, str]) -> None:
    laid, url = wire
    async with Store(url) as store:
        claim = await claimed(store)
        laid.lose_reply_to(b"COMMIT")
        records = await store.journal.append(claim.job, claim.epoch, [*forked(1), *thoughts(2)])
        assert laid.lost.is_set()
        assert (await store.journal.read(claim.job))[2:] == records
        assert (await store.maintenance.audit(claim.job)).sound
        (after,) = await store.journal.append(claim.job, claim.epoch, thoughts(1))
        assert after.seq == records[-1].seq + 1


@pytest.mark.postgres
async def test_a_connection_that_the_server_ends_costs_an_append_nothing(
    postgres_url: str,
) -> None:
    end_others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with Store(postgres_url) as store, Store(postgres_url) as operator:
        claim = await claimed(store)
        await operator.database.read(lambda connection: connection.execute(end_others).all())
        (record,) = await store.journal.append(claim.job, claim.epoch, thoughts(1))
        assert record.seq == 3


@pytest.mark.postgres
async def test_patience_ends(wire: tuple[Wire, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE_SECONDS", 0.0)
    laid, url = wire
    async with Store(url) as store:
        claim = await claimed(store)
        laid.sever()
        with pytest.raises(StoreAway):
            await store.journal.append(claim.job, claim.epoch, thoughts(1))
        laid.cut = False
        assert (await store.jobs.get(claim.job)).head_seq == 2


async def test_a_locked_file_is_away_for_new_jobs_and_waited_for_by_accepted_ones(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_TIMEOUT_SECONDS", 0.05)
    async with Store(sqlite_url) as store:
        claim = await claimed(store)
        with closing(sqlite3.connect(str(make_url(sqlite_url).database), isolation_level=None)) as intruder:
            intruder.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(store.journal.append(claim.job, claim.epoch, thoughts(1)))
            with pytest.raises(StoreAway, match="locked"):
                await store.jobs.submit(new_job())
            assert not waiting.done()
            intruder.execute("ROLLBACK")
        assert (await waiting)[0].seq == 3


@pytest.fixture
def intruder(sqlite_url: str) -> Iterator[sqlite3.Connection]:
    """Another program on the same file."""
    with closing(sqlite3.connect(str(make_url(sqlite_url).database), isolation_level=None)) as connection:
        yield connection


async def test_an_append_to_a_locked_file_tries_again_until_it_is_free(
    sqlite_url: str, intruder: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_TIMEOUT_SECONDS", 0.01)
    failed = 0
    async with Store(sqlite_url) as store:
        claim = await claimed(store)
        write = store.database.write

        async def counted(work: Work[Any]) -> Any:
            nonlocal failed
            try:
                return await write(work)
            except StoreAway:
                failed += 1
                if failed == 3:
                    intruder.execute("ROLLBACK")
                raise

        monkeypatch.setattr(store.database, "write", counted)
        intruder.execute("BEGIN IMMEDIATE")
        [record] = await store.journal.append(claim.job, claim.epoch, thoughts(1))
        assert (record.seq, failed) == (3, 3)


async def test_patience_with_a_locked_file_ends_and_nothing_is_written(
    sqlite_url: str, intruder: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(writer, "PATIENCE_SECONDS", 0.0)
    async with Store(sqlite_url) as store:
        claim, other = await claimed(store), await claimed(store)
        intruder.execute("BEGIN IMMEDIATE")
        appends = [store.journal.append(each.job, each.epoch, thoughts(1)) for each in (claim, other)]
        for refused in await asyncio.gather(*appends, return_exceptions=True):
            assert isinstance(refused, StoreAway)
        intruder.execute("ROLLBACK")
        assert [record.seq for record in await store.journal.read(claim.job)] == [1, 2]
        assert (await store.journal.append(claim.job, claim.epoch, thoughts(1)))[0].seq == 3


async def test_an_append_whose_commit_was_done_but_not_told_is_not_written_again(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Store(sqlite_url) as store:
        claim = await claimed(store)
        write, lost = store.database.write, False

        async def losing_one_reply(work: Work[Any]) -> Any:
            nonlocal lost
            done = await write(work)
            if not lost:
                lost = True
                raise StoreAway(ConnectionError("the reply was lost"))
            return done

        monkeypatch.setattr(store.database, "write", losing_one_reply)
        records = await store.journal.append(claim.job, claim.epoch, [*forked(1), *thoughts(2)])
        assert lost
        assert (await store.journal.read(claim.job))[2:] == records
        assert (await store.maintenance.audit(claim.job)).sound


async def test_a_commit_on_sqlite_is_on_the_disk_when_it_returns(sqlite_url: str) -> None:
    async with Store(sqlite_url) as store:

        def settings(connection: Connection) -> list[object]:
            names = ("journal_mode", "synchronous", "foreign_keys")
            return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

        assert await store.database.write(settings) == ["wal", 2, 1]
