"""A job asks tools of MCP servers: what one says is read as text alone, and one that is away costs its branch alone."""

import asyncio
import shlex
import sys
from pathlib import Path

from tests.clients import Client
from tests.workers.checks import mcp_server

from anabranch.dag import events as e
from anabranch.dag.status import JobStatus
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.sql import schema
from anabranch.service.store.store import Store
from anabranch.workers.checks.local import LocalChecks
from anabranch.workers.engines.script import Line, rendered
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest
from anabranch.workers.pool.local import LocalPool

TOOLS = {
    "said": f"mcp+stdio:{shlex.join([sys.executable, str(mcp_server.__file__)])}",
    "away": "mcp+http://127.0.0.1:9/mcp",
}


async def test_what_a_tool_says_is_text_and_a_server_that_is_away_costs_its_branch(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    await schema.upgrade(url)
    read: list[str] = []

    def recite(request: DecodeRequest) -> Line:
        read.append(rendered(request.context))
        return Line(text="It is 42 [1].")

    async with Store(url) as store:
        pool = LocalPool(ScriptedEngine(recite))
        organizer = Organizer(
            store, pool, LocalChecks(TOOLS), Traces(store, "scripted"), name="here", lease_seconds=5.0
        )
        working = asyncio.create_task(organizer.run())
        client = Client(store, patience=120)
        job = await client.submit("retrieval", {"tools": ["said.search", "away.search"]})
        ended = await client.ended(job)
        assert ended.status is JobStatus.SUCCEEDED, ended.error
        happened = await client.events(job)
        await organizer.drain()
        await working
        await pool.close()
    failed = [event for event in happened if isinstance(event, e.BranchFailed)]
    assert {event.cause for event in failed} == {"tool-error"}
    seen = "\n".join(read)
    assert "It is said of What is six times seven?" in seen
    assert "</JOIN-1>" not in seen and "<ANSWER>" not in seen
