"""Every test here runs on both databases: one contract, two stores."""

from collections.abc import AsyncIterator

import pytest
from tests.databases import BOTH, Databases

from anabranch.service.store.store import Store


@pytest.fixture(params=BOTH)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(databases: Databases, kind: str) -> str:
    """A migrated database without rows."""
    return databases.new(kind)


@pytest.fixture
def empty_url(databases: Databases, kind: str) -> str:
    """A database without tables."""
    return databases.empty(kind)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with Store(database_url) as opened:
        yield opened


@pytest.fixture
async def other_store(database_url: str) -> AsyncIterator[Store]:
    """Another process on the same database."""
    async with Store(database_url) as opened:
        yield opened
