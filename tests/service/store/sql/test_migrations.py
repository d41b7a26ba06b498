"""The house rule for migrations: older programs work on while they are applied, and after.

So a revision only expands, unless it says from which program on the schema can be used (`usable_from`). Whatever its
statements do is read here as the database gets them; what is on no list of harmless statements is refused.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, make_url

from anabranch.service.store.sql import schema
from anabranch.service.store.sql.revisions import ALWAYS, Revision, revisions

HARMLESS = re.compile(
    r"(SELECT|PRAGMA|SET|SHOW|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|CREATE EXTENSION|COMMENT ON)\b"
)
OF_THE_UPGRADE = re.compile(r".*\b(schema_version|alembic_version|pg_catalog)\b")
NEW_TABLE = re.compile(r"CREATE TABLE (IF NOT EXISTS )?(?P<table>\w+)")
NEW_VIEW = re.compile(r"CREATE (OR REPLACE )?VIEW (?P<view>\w+)")
NEW_INDEX = re.compile(
    r"CREATE (?P<unique>UNIQUE )?INDEX (?P<concurrently>CONCURRENTLY )?(IF NOT EXISTS )?(?P<name>\w+) ON (?P<table>\w+)"
)
NEW_COLUMN = re.compile(r"ALTER TABLE (?P<table>\w+) ADD COLUMN (?P<column>.*)")
OLD_INDEX = re.compile(r"DROP INDEX CONCURRENTLY IF EXISTS (?P<name>\w+)")
OLD_VIEW = re.compile(r"DROP VIEW (IF EXISTS )?(?P<view>\w+)")


def fault_of_column(column: str) -> str | None:
    """What is wrong with a new column, told as it is declared."""
    if "NOT NULL" in column and "DEFAULT" not in column:
        return "an older program writes rows without this column: give it a default"
    if re.search(r"\b(UNIQUE|PRIMARY KEY|REFERENCES|CHECK)\b", column):
        return "every row is checked under a lock, and older programs may write what this refuses"
    if re.search(r"\bSTORED\b|\bSERIAL\b|\bIDENTITY\b|DEFAULT \(?\w+\(", column):
        return "every row is written anew: let it be empty first"
    return None


def fault(statement: str, new_tables: set[str], later: Sequence[str], *, postgres: bool) -> str | None:
    """What an older program would have to suffer from this statement; None if nothing."""
    if HARMLESS.match(statement) or OF_THE_UPGRADE.match(statement) or NEW_VIEW.match(statement):
        return None
    if found := NEW_TABLE.match(statement):
        new_tables.add(found["table"])
        return None
    if found := NEW_INDEX.match(statement):
        if found["table"] in new_tables:
            return None
        if found["unique"]:
            return "older programs may write what this index refuses"
        return None if found["concurrently"] or not postgres else "nobody can write meanwhile: CONCURRENTLY"
    if found := NEW_COLUMN.match(statement):
        return None if found["table"] in new_tables else fault_of_column(found["column"])
    if found := OLD_INDEX.match(statement):
        made_again = any((new := NEW_INDEX.match(each)) and new["name"] == found["name"] for each in later)
        return None if made_again else "older programs are slow without it"
    if found := OLD_VIEW.match(statement):
        made_again = any((new := NEW_VIEW.match(each)) and new["view"] == found["view"] for each in later)
        return None if made_again else "somebody reads it"
    return "this is not known to be harmless to older programs that are at work"


def faults(statements: Sequence[str], *, postgres: bool) -> dict[str, str]:
    """All that is wrong with the statements of one revision."""
    plain = [" ".join(statement.replace('"', "").split()) for statement in statements]
    new_tables: set[str] = set()
    found = {}
    for n, statement in enumerate(plain):
        if told := fault(statement, new_tables, plain[n + 1 :], postgres=postgres):
            found[statement] = told
    return found


@contextmanager
def recorded(url: str) -> Iterator[list[str]]:
    """The statements that this database is given meanwhile: services of other tests run in the same process."""
    statements: list[str] = []
    name = make_url(url).database

    def record(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if connection.engine.url.database == name:
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", record)


async def test_every_revision_only_expands_or_says_that_it_contracts(empty_url: str, kind: str) -> None:
    told: dict[str, list[str]] = {}
    with recorded(empty_url) as statements:

        def applied(revision: Revision) -> None:
            told[revision.name] = statements.copy()
            statements.clear()

        await schema.upgrade(empty_url, applied)
    assert [*told] == [revision.name for revision in revisions()]
    wrong = {
        revision.name: found
        for revision in revisions()
        if revision.name > ALWAYS and not revision.contracts
        if (found := faults(told[revision.name], postgres=kind == "postgres"))
    }
    assert not wrong, "expand only, or name the oldest program that can use it: usable_from (revisions.py)"


def test_revisions_stand_in_one_line_and_name_programs_that_were() -> None:
    names = [revision.name for revision in revisions()]
    assert names == [f"{n:04}" for n in range(1, len(names) + 1)]
    assert all(revision.usable_from in names[: n + 1] for n, revision in enumerate(revisions()))


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE jobs DROP COLUMN measured",
        "ALTER TABLE jobs RENAME COLUMN measured TO counted",
        "ALTER TABLE jobs RENAME TO tasks",
        "ALTER TABLE jobs ALTER COLUMN priority TYPE BIGINT",
        "ALTER TABLE jobs ALTER COLUMN priority SET NOT NULL",
        "ALTER TABLE jobs ADD COLUMN later INTEGER NOT NULL",
        "ALTER TABLE jobs ADD COLUMN later TIMESTAMP DEFAULT clock_timestamp()",
        "ALTER TABLE jobs ADD COLUMN later TEXT GENERATED ALWAYS AS (phase) STORED",
        "ALTER TABLE jobs ADD COLUMN later TEXT UNIQUE",
        "ALTER TABLE jobs ADD CONSTRAINT later CHECK (priority > 0)",
        "CREATE INDEX later ON jobs (priority)",
        "CREATE UNIQUE INDEX CONCURRENTLY later ON jobs (question)",
        "DROP INDEX jobs_newest",
        "DROP INDEX CONCURRENTLY IF EXISTS jobs_newest",
        "DROP TABLE spans",
        "DROP VIEW usage",
        "UPDATE jobs SET priority = 5",
        "DELETE FROM spans",
        "INSERT INTO later SELECT id FROM jobs",
        "CREATE TRIGGER later AFTER INSERT ON jobs BEGIN SELECT 1; END",
    ],
)
def test_what_older_programs_would_suffer_from_is_refused(statement: str) -> None:
    assert faults([statement], postgres=True) and faults([statement.replace("jobs", '"jobs"')], postgres=True)


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE later (\n\tn INTEGER NOT NULL\n)", "CREATE UNIQUE INDEX later_n ON later (n)"],
        ["ALTER TABLE jobs ADD COLUMN later INTEGER DEFAULT '0' NOT NULL"],
        ["ALTER TABLE jobs ADD COLUMN later INTEGER"],
        ["DROP INDEX CONCURRENTLY IF EXISTS later", "CREATE INDEX CONCURRENTLY later ON jobs (priority)"],
        ["DROP VIEW usage", "CREATE VIEW usage AS SELECT 1"],
    ],
)
def test_what_older_programs_do_not_miss_is_no_fault(statements: Sequence[str]) -> None:
    assert not faults(statements, postgres=True)


def test_on_sqlite_an_index_is_built_in_the_transaction() -> None:
    assert not faults(["CREATE INDEX later ON jobs (priority)"], postgres=False)
