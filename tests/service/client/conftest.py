"""A real service that recites, and both clients of it, asked in one way."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.scripted_service import serve_scripted

from anabranch.client import AsyncClient, Client
from anabranch.service.settings import Settings
from anabranch.workers.engines.script import Rules
from anabranch.workers.engines.scripted import ScriptedEngine


@pytest.fixture(scope="package")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(state=tmp_path_factory.mktemp("state"), port=0)
    with serve_scripted(settings, lambda: ScriptedEngine(Rules())) as address:
        yield address


class Asked:
    """A client, blocking or not: `await asked("get", job)`, and `await asked.all("follow", job)` for what iterates."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    async def __call__(self, method: str, *given: Any, **named: Any) -> Any:
        call = getattr(self.client, method)
        if isinstance(self.client, AsyncClient):
            return await call(*given, **named)
        return await asyncio.to_thread(call, *given, **named)

    async def all(self, method: str, *given: Any, **named: Any) -> list[Any]:
        found = getattr(self.client, method)(*given, **named)
        if isinstance(self.client, AsyncClient):
            return [item async for item in found]
        return await asyncio.to_thread(list, found)


KINDS: tuple[type[Client], type[AsyncClient]] = (Client, AsyncClient)


@pytest.fixture(params=KINDS)
async def asked(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Asked]:
    opened = Asked(request.param(url))
    yield opened
    await opened("close")
