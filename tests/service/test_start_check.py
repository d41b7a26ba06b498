"""What a process waits for before it works, and what it refuses."""

import asyncio
from pathlib import Path

import pytest

from anabranch.service import start_check
from anabranch.service.start_check import await_schema
from anabranch.service.store.errors import SchemaAhead, StoreAway, StoreRefuses
from anabranch.service.store.sql import schema


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_check, "AGAIN_SECONDS", 0.0)


async def test_a_schema_that_is_still_to_come_is_waited_for(tmp_path: Path) -> None:
    """Serve gives a replica up, for good, that fails three times: pods may come before the migration has run."""
    database, told = f"sqlite:///{tmp_path / 'x.db'}", list[str]()
    (tmp_path / "x.db").touch()
    waiting = asyncio.create_task(await_schema(database, told.append))
    while not told:
        await asyncio.sleep(0)
    assert "anabranch db upgrade" in told[0]
    await schema.upgrade(database)
    await waiting
    assert len(set(told)) == len(told), "each thing once"


async def test_a_store_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Exception | None] = [StoreAway(OSError("no route")), StoreAway(OSError("no route")), None]
    told: list[str] = []

    async def look(_: str) -> None:
        if (found := looks.pop(0)) is not None:
            raise found

    monkeypatch.setattr(schema, "check", look)
    await await_schema("postgresql://db/x", told.append)
    assert (len(told), looks) == (1, []), "told once"


async def test_a_schema_that_is_too_new_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(_: str) -> None:
        raise SchemaAhead("0099", "0098", "0012")

    monkeypatch.setattr(schema, "check", look)
    with pytest.raises(SchemaAhead):
        await await_schema("postgresql://db/x", pytest.fail)


async def test_a_database_that_refuses_at_the_start_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def look(_: str) -> None:
        raise StoreRefuses(OSError('password authentication failed for user "ada"'))

    monkeypatch.setattr(schema, "check", look)
    with pytest.raises(StoreRefuses, match=r"password authentication failed.*ANABRANCH_DATABASE"):
        await await_schema("postgresql://db/x", pytest.fail)
