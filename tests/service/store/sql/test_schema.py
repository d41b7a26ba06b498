"""The schema's age, and what a program does with a database of another age."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, make_url, text
from tests.databases import Databases

from anabranch.dag.status import JobStatus, job_status
from anabranch.service.store.errors import SchemaAhead, SchemaBehind, StoreAway
from anabranch.service.store.sql import schema
from anabranch.service.store.sql.database import Database, with_driver
from anabranch.service.store.sql.tables import STATUS

# What a listing is sorted by is an expression, and only migrations know it.
pytestmark = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")


async def within(url: str, act: Callable[[Connection], object]) -> object:
    """What `act` returns, called in a transaction of its own."""
    database = Database(url)
    try:
        return await database.write(act)
    finally:
        await database.close()


async def test_an_upgraded_database_passes_the_check(empty_url: str) -> None:
    await schema.upgrade(empty_url)
    await schema.check(empty_url)


async def test_upgrading_again_changes_nothing(database_url: str) -> None:
    await schema.upgrade(database_url)
    await schema.check(database_url)


async def test_a_database_that_is_behind_is_refused_with_the_mend(empty_url: str) -> None:
    with pytest.raises(SchemaBehind, match="Run `anabranch db upgrade`"):
        await schema.check(empty_url)


async def test_a_database_that_a_newer_release_migrated_is_refused_and_left_alone(database_url: str) -> None:
    def age(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    await within(database_url, age)
    with pytest.raises(SchemaAhead, match="9999"):
        await schema.check(database_url)
    with pytest.raises(SchemaAhead, match="9999"):
        await schema.upgrade(database_url)


async def test_the_migrations_make_what_the_tables_say(database_url: str) -> None:
    await within(database_url, lambda connection: command.check(schema.config(connection)))


@pytest.mark.parametrize("undecided", [0, 1, 2])
@pytest.mark.parametrize("phase", [status for status in JobStatus if status is not JobStatus.WAITING])
async def test_the_status_column_says_what_the_dag_says(
    database_url: str, phase: JobStatus, undecided: int
) -> None:
    def column(connection: Connection) -> object:
        row = f"SELECT '{phase}' AS phase, {undecided} AS approvals_pending"
        return connection.execute(text(f"SELECT {STATUS} FROM ({row}) AS jobs")).scalar_one()

    assert await within(database_url, column) == job_status(phase, undecided)


async def test_going_down_leaves_nothing_and_going_up_again_makes_all(database_url: str) -> None:
    await within(database_url, lambda connection: command.downgrade(schema.config(connection), "base"))
    tables = await within(database_url, lambda connection: inspect(connection).get_table_names())
    views = await within(database_url, lambda connection: inspect(connection).get_view_names())
    assert isinstance(tables, list)
    assert (sorted(tables), views) == (["alembic_version", "schema_version"], [])
    await schema.upgrade(database_url)
    await within(database_url, lambda connection: command.check(schema.config(connection)))


async def test_several_processes_may_upgrade_at_once(empty_url: str) -> None:
    await asyncio.gather(*(schema.upgrade(empty_url) for _ in range(4)))
    await schema.check(empty_url)


@pytest.mark.parametrize("_try", range(20))
async def test_several_processes_may_open_a_new_file_at_once(databases: Databases, _try: int) -> None:
    url = databases.empty("sqlite")
    await asyncio.gather(
        *(within(url, lambda connection: connection.execute(text("SELECT 1"))) for _ in range(6))
    )


def test_a_file_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(SchemaBehind, match=f"no database at {tmp_path}/away/file.db"):
        asyncio.run(schema.check(f"sqlite:///{tmp_path}/away/file.db"))
    assert not list(tmp_path.iterdir())


async def test_a_database_that_cannot_be_opened_is_away(kind: str, tmp_path: Path) -> None:
    urls = {"sqlite": f"sqlite:///{tmp_path}", "postgres": "postgresql://nobody@127.0.0.1:1/none"}
    with pytest.raises(StoreAway, match="Nothing was written"):
        await schema.check(urls[kind])


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db"),
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql://u:p@h:5/d", "postgresql+asyncpg://u:p@h:5/d"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
    ],
)
def test_any_spelling_of_a_supported_database_will_do(given: str, used: str) -> None:
    assert with_driver(given) == make_url(used)


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="sqlite:///FILE"):
        Database(url)
