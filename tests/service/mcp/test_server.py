"""The official MCP client asks `anabranch mcp`, a process of its own, over a service with an engine that recites."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters
from tests.databases import free_port
from tests.scripted_service import serve_scripted

from anabranch.service.settings import Settings
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest

COMMAND = ("-c", "from anabranch.service.cli import main; main()", "mcp")
PAGE = Path(__file__).parents[3] / "docs" / "mcp.md"
SLOW = "Take your time"


def recite(request: DecodeRequest) -> Line:
    asked = str(request.context)
    return Line(text="so we go on and on; " * 500 if SLOW in asked else "The answer is 42.")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(state=tmp_path_factory.mktemp("state"), port=0)
    with serve_scripted(settings, lambda: ScriptedEngine(recite, tokens_per_second=200)) as url:
        yield url


def environment(url: str, folder: Path) -> dict[str, str]:
    return {**os.environ, "ANABRANCH_URL": url, "ANABRANCH_STATE": str(folder)}


@pytest.fixture(params=["stdio", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def connected(transport: str, env: dict[str, str]) -> AsyncIterator[Client]:
    """A client of a server that this starts."""
    if transport == "stdio":
        server = StdioServerParameters(command=sys.executable, args=list(COMMAND), env=env)
        async with Client(server) as client:
            yield client
        return
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *COMMAND, "--http", "--port", str(port), env=env, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60), httpx.AsyncClient() as http:
            while True:
                try:
                    await http.get(f"http://127.0.0.1:{port}/")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            yield client
    finally:
        process.terminate()
        await process.wait()


async def test_a_question_is_answered_and_what_happens_is_told(
    transport: str, url: str, tmp_path: Path
) -> None:
    told: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with connected(transport, environment(url, tmp_path)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"reason", "job"}
        assert set(tools["reason"].input_schema["properties"]) == {
            "question", "policy", "budget", "params", "model",
        }  # fmt: skip
        asked = {
            "question": "What is six times seven?",
            "policy": "self-consistency",
            "params": {"n": 3},
            "budget": {"tokens": 1000},
        }
        answered = await client.call_tool("reason", asked, progress_callback=hear)
        assert not answered.is_error, answered.content
        found: Any = answered.structured_content
        assert (found["status"], found["answer"], found["branches"]) == ("succeeded", "42", 4)
        again: Any = (await client.call_tool("job", {"id": found["job"]})).structured_content
        assert again == found
    words = [message or "" for _, message in told]
    assert words[0] == f"job {found['job']}: self-consistency"
    assert "0.1 forked: sample" in words and "the answer is there" in words
    assert any(word.startswith("0.2 decoded ") for word in words)
    assert [place for place, _ in told] == sorted({place for place, _ in told})


async def test_a_call_that_is_cancelled_cancels_the_job(transport: str, url: str, tmp_path: Path) -> None:
    began = asyncio.Event()
    jobs: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        jobs.append((message or "").removeprefix("job ").partition(":")[0])
        began.set()

    async with connected(transport, environment(url, tmp_path)) as client, httpx.AsyncClient() as http:
        asked = {"question": SLOW, "policy": "sequential"}
        calling = asyncio.create_task(client.call_tool("reason", asked, progress_callback=hear))
        await asyncio.wait_for(began.wait(), 60)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        job = (await http.get(f"{url}/v1/jobs/{jobs[0]}", params={"wait": 60}, timeout=90)).json()
        assert job["status"] == "cancelled"


async def test_the_pages_configuration_and_command_are_served_as_it_says(url: str, tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    block = re.search(r"^```json\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    command = re.search(r"`anabranch (mcp --http --port (\d+))`, at `(http://\S+)`", page)
    tools = set(re.findall(r"^\| `(\w+)\(", page, re.MULTILINE))
    assert block is not None and command is not None
    (said,) = json.loads(block[1])["mcpServers"].values()
    assert (said["command"], said["args"][0]) == ("anabranch", COMMAND[-1])
    assert said["env"] == {"ANABRANCH_URL": "http://127.0.0.1:8000"}
    server = StdioServerParameters(
        command=sys.executable, args=[*COMMAND[:-1], *said["args"]], env=environment(url, tmp_path)
    )
    async with Client(server) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == tools == {"reason", "job"}
    assert command[1].split() == [COMMAND[-1], "--http", "--port", command[2]]
    assert command[3] == f"http://127.0.0.1:{command[2]}/mcp", (
        "what `connected` starts, and where it connects"
    )


async def test_what_goes_wrong_is_told_to_the_model(url: str, tmp_path: Path) -> None:
    async with connected("stdio", environment(url, tmp_path)) as client:

        async def refused(tool: str, **arguments: Any) -> str:
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            return str(result.content[0].text)  # type: ignore[union-attr]

        assert "policy.name" in await refused("reason", question="?", policy="none")
        assert "params" in await refused("reason", question="?", params={"n": 2})
        assert "no job" in await refused("job", id="01900000-0000-7000-8000-000000000001")
        assert "question" in await refused("reason", question="")
    env = environment("http://127.0.0.1:9", tmp_path)
    async with connected("stdio", env) as client:
        away = await client.call_tool("job", {"id": "x"})
        assert away.is_error and "no service answers" in str(away.content)
    del env["ANABRANCH_URL"]
    async with connected("stdio", env) as client:
        nobody = await client.call_tool("job", {"id": "x"})
        assert nobody.is_error and "start `anabranch up`" in str(nobody.content)
