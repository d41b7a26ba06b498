"""Calls the tools of MCP servers: each call connects, calls and disconnects, so a server keeps nothing of a job.

A server is the operator's choice, and what it says is not: it may hang, die, or answer anything and for ever. Whatever
it does, a call ends in time and reads so many bytes at most; it gives text of bounded length, or is a fault of that one
call. The text is escaped where it is read, as all text of others is.
"""

import asyncio
import json
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anabranch.dag.decoding import Fault
from anabranch.dag.vocabulary import Cause
from anabranch.workers.checks import mcp_relay
from anabranch.workers.errors import DecodeError

HTTP, STDIO = ("mcp+http://", "mcp+https://"), "mcp+stdio:"
CALL_SECONDS = 60.0
"""From the connection to the answer."""
MOST_BYTES = 2_000_000
"""That a server may say during a call."""
MOST_CHARACTERS = 100_000
"""Of a result; what lies behind is cut off, and told."""
LONGEST_DETAIL = 500
RELAY = str(Path(mcp_relay.__file__).resolve())
MISSING = "MCP tools need the package mcp: pip install 'anabranch[mcp]'"


@dataclass(frozen=True, slots=True)
class McpPlace:
    """A server, as its address or its command, and the name that one of its tools has there."""

    server: str
    tool: str

    @classmethod
    def of(cls, tools: Mapping[str, str], name: str) -> "McpPlace | None":
        """Where the tool of this name is, if it is one of an MCP server: registered by itself (`…#TOOL`), or one of a
        server that is registered whole, and then named `SERVER.TOOL`."""
        place = tools.get(name, "")
        server, mark, tool = place.rpartition("#")
        if is_mcp(place) and mark:
            return cls(server, tool)
        whole, dot, tool = name.partition(".")
        server = tools.get(whole, "")
        return cls(server, tool) if dot and is_mcp(server) and "#" not in server else None


def is_mcp(place: str) -> bool:
    return place.startswith((*HTTP, STDIO))


def call(place: McpPlace, name: str, arguments: Mapping[str, Any]) -> str:
    """What the tool says, as text. Raises DecodeError, whatever happens."""
    try:
        text, failed = asyncio.run(_call(place, dict(arguments)))
    except ModuleNotFoundError as error:
        raise _fault(name, MISSING, retryable=False) from error
    except TimeoutError as error:
        raise _fault(name, f"its server did not answer within {CALL_SECONDS:g} seconds") from error
    except Exception as error:  # the server's or the client's: its fault is its branch's
        raise _fault(name, _first(error)) from error
    if failed:
        raise _fault(name, text)
    return text


async def _call(place: McpPlace, arguments: dict[str, Any]) -> tuple[str, bool]:
    """What the tool said, and whether it said that it failed."""
    from mcp import Client

    async with (
        asyncio.timeout(CALL_SECONDS),
        _transport(place.server) as transport,
        Client(transport) as client,
    ):
        result = await client.call_tool(place.tool, arguments)
    return _text_of(result), result.is_error


@asynccontextmanager
async def _transport(server: str) -> AsyncIterator[Any]:
    """How a server is reached, such that it can say so much and no more."""
    import httpx2
    from mcp import StdioServerParameters
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamable_http_client

    if server.startswith(STDIO):
        command = shlex.split(server.removeprefix(STDIO))
        arguments = ["-I", RELAY, str(MOST_BYTES), *command]
        relay = StdioServerParameters(command=sys.executable, args=arguments)
        yield stdio_client(relay, errlog=sys.__stderr__ or sys.stderr)
        return
    left = MOST_BYTES

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal left
            async for piece in self._stream:
                left -= len(piece)
                if left < 0:
                    raise httpx2.ReadError(f"the server says more than {MOST_BYTES:,} bytes")
                yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def bound(response: Any) -> None:
        response.stream = Bounded(response.stream)

    timeout = httpx2.Timeout(CALL_SECONDS)
    async with httpx2.AsyncClient(timeout=timeout, event_hooks={"response": [bound]}) as http:
        yield streamable_http_client(server.removeprefix("mcp+"), http_client=http)


def _text_of(result: Any) -> str:
    """The texts of a result, one behind the other; what is no text is named. Without any, its structured content."""
    parts: list[str] = []
    for content in result.content:
        text = getattr(content, "text", None)
        parts.append(text if isinstance(text, str) else f"[{content.type}]")
    if not parts and result.structured_content is not None:
        parts.append(json.dumps(result.structured_content, ensure_ascii=False))
    whole = "\n".join(parts)
    if len(whole) <= MOST_CHARACTERS:
        return whole
    return f"{whole[:MOST_CHARACTERS]}\n[cut: {len(whole) - MOST_CHARACTERS} characters more]"


def _first(error: BaseException) -> str:
    """The first cause, in words: what fails at once is told in groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _fault(name: str, detail: str, *, retryable: bool = True) -> DecodeError:
    return DecodeError(
        Fault(cause=Cause.TOOL_ERROR, detail=f"{name}: {detail[:LONGEST_DETAIL]}", retryable=retryable)
    )
