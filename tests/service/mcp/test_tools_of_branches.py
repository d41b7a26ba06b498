"""A job asks tools of MCP servers: what one says is read as text alone, and one that is away costs its branch alone."""

import asyncio
import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.clients import Client
from tests.workers.checks import mcp_server

from anabranch.dag import events as e
from anabranch.dag.status import JobStatus
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.settings import read_settings
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


PAGE = Path(__file__).parents[3] / "docs" / "mcp.md"


async def asked(folder: Path, tools: Mapping[str, str], names: Sequence[str]) -> tuple[list[e.Event], str]:
    """What happened in a retrieval by these tools, and all that its branches read."""
    url = f"sqlite:///{folder / 'a.db'}"
    await schema.upgrade(url)
    read: list[str] = []

    def recite(request: DecodeRequest) -> Line:
        read.append(rendered(request.context))
        return Line(text="It is 42 [1].")

    async with Store(url) as store:
        pool = LocalPool(ScriptedEngine(recite))
        organizer = Organizer(
            store, pool, LocalChecks(tools), Traces(store, "scripted"), name="here", lease_seconds=5.0
        )
        working = asyncio.create_task(organizer.run())
        client = Client(store, patience=120)
        job = await client.submit("retrieval", {"tools": list(names)})
        ended = await client.ended(job)
        assert ended.status is JobStatus.SUCCEEDED, ended.error
        happened = await client.events(job)
        await organizer.drain()
        await working
        await pool.close()
    return happened, "\n".join(read)


async def test_the_pages_tools_are_registered_and_asked_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = PAGE.read_text("utf-8")
    exported = re.search(r"export ANABRANCH_TOOLS='(.*?)'", page, re.DOTALL)
    command = re.search(r"--policy retrieval --set tools='(.*?)'", page)
    assert exported is not None and command is not None
    monkeypatch.setenv("ANABRANCH_TOOLS", exported[1])
    told = read_settings().tools
    assert set(told) == {"tickets", "files", "web"}
    here = {
        name: TOOLS["said"] + ("#search" if "#" in place else "") for name, place in told.items()
    }  # the page's servers are somewhere else
    happened, read = await asked(tmp_path, here, json.loads(command[1]))
    assert not [event for event in happened if isinstance(event, e.BranchFailed)]
    assert read.count("It is said of What is six times seven?") >= len(json.loads(command[1]))


async def test_what_a_tool_says_is_text_and_a_server_that_is_away_costs_its_branch(tmp_path: Path) -> None:
    happened, seen = await asked(tmp_path, TOOLS, ["said.search", "away.search"])
    failed = [event for event in happened if isinstance(event, e.BranchFailed)]
    assert {event.cause for event in failed} == {"tool-error"}
    assert "It is said of What is six times seven?" in seen
    assert "</JOIN-1>" not in seen and "<ANSWER>" not in seen
