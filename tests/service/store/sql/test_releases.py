"""Programs of two releases on one database: who can use which schema, and what may be taken away when."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from alembic import command
from sqlalchemy import Connection, text
from tests.databases import Databases
from tests.releases import copy_migrations, newest_here, program_with, write_migration
from tests.service.store.scenes import ended

from anabranch.service.store.errors import ContractionRefused, SchemaAhead, SchemaBehind
from anabranch.service.store.jobs.organizers import Presence
from anabranch.service.store.maintenance.packing import READS_PACKS
from anabranch.service.store.programs import Role, renew, this_program
from anabranch.service.store.sql import schema
from anabranch.service.store.sql.database import Database
from anabranch.service.store.sql.revisions import ALWAYS, Revision, newest
from anabranch.service.store.store import Store

HERE = f"{newest_here():04}"
EXPANSION, CONTRACTION, AFTER = (f"{newest_here() + n:04}" for n in (1, 2, 3))


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a release after the next: it has added a table, and takes away what only this release needs."""
    folder = copy_migrations(tmp_path / "later")
    write_migration(folder, "Adds a table.", 'op.create_table("later", sa.Column("n", sa.Integer))')
    write_migration(folder, "Takes a view away.", 'op.execute("DROP VIEW usage")', usable_from=EXPANSION)
    write_migration(folder, "Adds another.", 'op.create_table("latest", sa.Column("n", sa.Integer))')
    return folder


@pytest.fixture
def following(tmp_path: Path) -> Path:
    """The migrations of the next release."""
    folder = copy_migrations(tmp_path / "next")
    write_migration(folder, "Adds a table.", 'op.create_table("later", sa.Column("n", sa.Integer))')
    return folder


async def ask(url: str, asked: Callable[[Connection], Any]) -> Any:
    database = Database(url)
    try:
        return await database.write(asked)
    finally:
        await database.close()


async def run_sql(url: str, *statements: str) -> None:
    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))

    await ask(url, work)


async def test_an_older_program_goes_on_after_an_expansion_and_starts_on_it(
    database_url: str, following: Path
) -> None:
    with program_with(following):
        assert (await schema.upgrade(database_url)).revision == EXPANSION
    found = await schema.check(database_url)
    assert (found.revision, found.usable_from, found.newer) == (EXPANSION, ALWAYS, True)
    applied: list[object] = []
    assert await schema.upgrade(database_url, applied.append) == found and not applied
    async with Store(database_url) as store:
        await store.queue.heartbeat("older", 5.0)
        assert [program.revision for program in await store.programs.list()] == [HERE]


async def test_a_program_from_before_sees_the_revision_that_it_knows(database_url: str) -> None:
    """All that it looks at is Alembic's own table, in which it wants exactly its own revision."""
    told = await ask(
        database_url, lambda c: c.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    )
    assert told == ALWAYS < newest()


async def test_a_database_that_a_program_from_before_made_is_taken_over(database_url: str) -> None:
    await ask(database_url, lambda connection: command.downgrade(schema.config(connection), ALWAYS))
    await run_sql(database_url, "DROP TABLE schema_version")
    with pytest.raises(SchemaBehind, match=f"is at {ALWAYS}, this Anabranch needs {HERE}"):
        await schema.check(database_url)
    applied: list[Revision] = []
    assert (await schema.upgrade(database_url, applied.append)).revision == HERE
    assert [revision.name for revision in applied] == [f"{n:04}" for n in range(10, newest_here() + 1)]


async def test_what_programs_at_work_need_is_not_taken_away(database_url: str, later: Path) -> None:
    async with Store(database_url) as store:
        await store.queue.heartbeat("organizer-1", 5.0, Presence(address="ws://here"))
        await ask(database_url, lambda c: renew(c, this_program(Role.API, "api-1"), 5.0))
        with program_with(later):
            ahead = this_program(Role.API, "api-2")
            await ask(database_url, lambda c: renew(c, ahead, 5.0))
            with pytest.raises(ContractionRefused) as refused:
                await schema.upgrade(database_url)
            told = str(refused.value)
            assert f"Migration {CONTRACTION}" in told and f"older than schema {EXPANSION}" in told
            assert "organizer organizer-1" in told and "api api-1" in told and "api-2" not in told
            with pytest.raises(SchemaBehind, match=f"is at {EXPANSION}"):
                await schema.check(database_url)  # for it needs what comes after
        assert (await schema.check(database_url)).revision == EXPANSION  # the older go on
        await store.queue.heartbeat("organizer-1", 5.0)
        await store.organizers.remove("organizer-1")
        await store.programs.remove("api-1")
        with program_with(later):
            found = await schema.upgrade(database_url)
            assert (found.revision, found.usable_from) == (AFTER, EXPANSION)
            await schema.check(database_url)
        with pytest.raises(SchemaAhead, match=f"is at {AFTER} .* know revision {EXPANSION}; .* up to {HERE}"):
            await schema.check(database_url)
        with pytest.raises(SchemaAhead):
            await schema.upgrade(database_url)
        with pytest.raises(SchemaAhead):  # one that nobody had heard of: it may not go on
            await store.queue.heartbeat("organizer-1", 5.0)
        assert [program.name for program in await store.programs.list()] == ["api-2"]


async def test_whom_packs_have_left_behind_no_later_migration_lets_in(
    database_url: str, following: Path
) -> None:
    async with Store(database_url) as store:
        await ended(store)
        assert await store.maintenance.pack(datetime.now(UTC) + timedelta(days=1)) == 1
    with program_with(following):
        found = await schema.upgrade(database_url)
        assert (found.revision, found.usable_from) == (EXPANSION, READS_PACKS)


async def test_an_organizer_that_told_no_release_is_taken_for_an_old_one(
    database_url: str, later: Path
) -> None:
    await run_sql(
        database_url,
        "INSERT INTO organizers (name, address, expires) VALUES ('silent', 'ws://x', '2999-01-01T00:00:00.000000Z')",
    )
    with program_with(later), pytest.raises(ContractionRefused, match=f"silent .*of before, schema {ALWAYS}"):
        await schema.upgrade(database_url)


async def test_a_program_starts_while_a_contraction_of_its_own_release_waits(
    database_url: str, following: Path
) -> None:
    write_migration(following, "Takes a view away.", 'op.execute("DROP VIEW usage")', usable_from=EXPANSION)
    await ask(database_url, lambda c: renew(c, this_program(Role.API, "older"), 5.0))
    with program_with(following):
        with pytest.raises(ContractionRefused):
            await schema.upgrade(database_url)
        found = await schema.check(database_url)
        assert [revision.name for revision in found.missing] == [CONTRACTION]


async def test_several_processes_may_upgrade_at_once(empty_url: str, later: Path) -> None:
    url = empty_url
    with program_with(later):
        await asyncio.gather(*(schema.upgrade(url) for _ in range(3)))
        assert (await schema.check(url)).revision == AFTER


async def test_a_program_that_nobody_hears_of_any_more_needs_nothing(database_url: str, later: Path) -> None:
    await ask(database_url, lambda c: renew(c, replace(this_program(Role.API), name="gone"), -1.0))
    with program_with(later):
        assert (await schema.upgrade(database_url)).revision == AFTER


@pytest.fixture
def postgres_url(databases: Databases) -> str:
    return databases.new("postgres")


@pytest.mark.postgres
async def test_a_migration_waits_for_a_table_and_holds_up_nobody_else_for_long(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long transaction has the table: the migration asks, gives up, and asks again, so readers are let through."""
    url = postgres_url
    folder = copy_migrations(tmp_path / "next")
    write_migration(folder, "Adds a column.", 'op.add_column("jobs", sa.Column("later", sa.Integer))')
    monkeypatch.setattr(schema, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(schema, "LOCK_PAUSE_SECONDS", 0.05)
    holder, other = Database(url), Database(url)
    released = asyncio.Event()

    async def hold(engine: Any) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT count(*) FROM jobs"))
            await released.wait()

    with program_with(folder):
        holding = asyncio.create_task(hold(cast("Any", holder._doors)._writer))
        upgrading = asyncio.create_task(schema.upgrade(url))
        for _ in range(20):
            await other.read(lambda connection: connection.execute(text("SELECT count(*) FROM jobs")).all())
            await asyncio.sleep(0.02)
        assert not upgrading.done()
        released.set()
        await holding
        assert (await upgrading).revision == EXPANSION
    await holder.close()
    await other.close()
