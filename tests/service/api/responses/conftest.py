"""The whole service in this process: REST, store, organizer, and an engine that recites what it read."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

from anabranch.dag.actions import Verifier
from anabranch.dag.decoding.tools import Call
from anabranch.dag.ids import BranchId
from anabranch.service.api.server import serve_api
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import Settings
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line, rendered
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.local import LocalPool


class NoChecks:
    """These tests ask for no check."""

    async def compare(self, answers: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        raise AssertionError(answers)

    async def verify(self, verifier: Verifier, values: Mapping[BranchId, str]) -> Any:
        raise AssertionError(verifier)

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        raise AssertionError(tool)

    async def close(self) -> None: ...


def recite(request: DecodeRequest) -> Line:
    """Keeps to the form that is asked for, and calls what it is offered until there is a result. Else it tells what it
    read, after a thought; behind a beginning, after blanks."""
    asked = rendered(request.context)
    if request.decoding.tools is not None and "[Result of" not in asked:
        names = [tool.name for tool in request.decoding.tools.offered]
        return Line(
            text="I look. ", calls=tuple(Call(name=name, arguments='{"city": "Rome"}') for name in names)
        )
    if request.decoding.structure is not None:
        return Line(text=json.dumps({"name": "Ada", "born": 1815}))
    blanks = "  " if request.context.continuation else ""
    return Line(thought="Let me  see.", text=f"{blanks}I read:\n{asked}The answer is 42.")


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """A REST process, with nobody who runs jobs."""
    server = serve_api(settings)
    url = await asyncio.to_thread(server.__enter__)
    yield url
    await asyncio.to_thread(server.__exit__, None, None, None)


@pytest.fixture
async def address(settings: Settings, store: Store) -> AsyncIterator[str]:
    async with serving(settings) as url:
        yield url


@pytest.fixture
async def working(settings: Settings, store: Store) -> AsyncIterator[None]:
    """Somebody who does."""
    pool = LocalPool(ScriptedEngine(recite))
    organizer = Organizer(store, pool, NoChecks(), Traces(store, "scripted"), name="here", lease_seconds=5.0)
    running = asyncio.create_task(organizer.run())
    yield
    await organizer.drain()
    await running
    await pool.close()


def asking(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", timeout=60, max_retries=0)


@pytest.fixture
async def openai_client(address: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with asking(address) as opened:
        yield opened
