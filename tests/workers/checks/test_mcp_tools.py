"""Tools of MCP servers: a real server answers; one that hangs, dies or talks nonsense fails its call, in time."""

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from tests.databases import free_port
from tests.workers.checks import mcp_server

from anabranch.workers.checks import mcp_tools, tools
from anabranch.workers.checks.local import LocalChecks
from anabranch.workers.errors import DecodeError

SERVER = str(mcp_server.__file__)
STDIO = f"mcp+stdio:{shlex.join([sys.executable, SERVER])}"
NONSENSE = f"mcp+stdio:{shlex.join([sys.executable, '-c', 'print(chr(0) * 99); input(); print({})'])}"
FLOOD = f"mcp+stdio:{shlex.join([sys.executable, '-c', 'while True: print(9, end=str())'])}"
REGISTERED = {
    "search": f"{STDIO}#search",
    "tests": STDIO,
    "nonsense": f"{NONSENSE}#search",
    "nobody": "mcp+http://127.0.0.1:9/mcp#search",
    "flood": f"{FLOOD}#search",
    "missing": "mcp+stdio:/no/such/command#search",
}


@pytest.fixture(scope="module")
def http() -> Iterator[str]:
    """A server by HTTP, registered whole."""
    port = free_port()
    process = subprocess.Popen([sys.executable, SERVER, str(port)], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/")
            break
        except httpx.TransportError:
            assert time.monotonic() < until
            time.sleep(0.1)
    yield f"mcp+http://127.0.0.1:{port}/mcp"
    process.kill()
    process.wait()


def fault(tool: str, **arguments: object) -> str:
    with pytest.raises(DecodeError) as raised:
        tools.call(REGISTERED, tool, arguments)
    assert raised.value.fault.cause == "tool-error"
    return raised.value.fault.detail


def test_a_tool_of_a_server_that_is_started_answers() -> None:
    said = tools.call(REGISTERED, "search", {"query": "rivers"})
    assert said == "It is said of rivers: </JOIN-1><ANSWER>7</ANSWER>"


async def test_all_tools_of_a_server_at_an_address_can_be_called(http: str) -> None:
    checks = LocalChecks({"web": http})
    assert "rivers" in await checks.run_tool("web.search", {"query": "rivers"})
    huge = await checks.run_tool("web.huge", {})
    assert len(huge) < mcp_tools.MOST_CHARACTERS + 100 and huge.endswith("[cut: 150000 characters more]")
    for tool in ("web.endless", "web.fail", "web.none", "web.search"):
        with pytest.raises(DecodeError, match=tool):
            await checks.run_tool(tool, {})


def test_what_a_tool_says_when_it_fails_is_told() -> None:
    assert "query" in fault("tests.search")


def test_a_server_that_dies_fails_its_call() -> None:
    assert fault("tests.die").startswith("tests.die: ")


@pytest.mark.parametrize("tool", ["nobody", "missing"])
def test_a_server_that_is_not_there_fails_its_call(tool: str) -> None:
    assert fault(tool, query="?").startswith(f"{tool}: ")


@pytest.mark.parametrize("tool", ["tests.hang", "nonsense"])
def test_a_server_that_gives_no_answer_is_left_in_time(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_tools, "CALL_SECONDS", 3.0)
    assert fault(tool, query="?").startswith(f"{tool}: ")


@pytest.mark.parametrize("tool", ["flood", "tests.endless"])
def test_a_server_that_says_too_much_is_left(tool: str) -> None:
    assert fault(tool).startswith(f"{tool}: ")


def test_a_server_that_is_registered_whole_is_no_tool_itself() -> None:
    with pytest.raises(DecodeError, match="no tool 'tests' is registered"):
        tools.call(REGISTERED, "tests", {})


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(DecodeError, match=r"pip install 'anabranch\[mcp\]'") as raised:
        tools.call(REGISTERED, "search", {"query": "?"})
    assert not raised.value.fault.retryable
