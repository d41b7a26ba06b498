"""Implements `anabranch mcp`: an MCP server over the service that runs, on stdin and stdout, or by HTTP."""

import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from anabranch.client import AsyncClient
from anabranch.service.cli.connect import key_of, lasting_address
from anabranch.service.cli.errors import CannotStart
from anabranch.service.settings import is_loopback, read_settings

EXTRA = "anabranch mcp needs the package mcp: pip install 'anabranch[mcp]'"
PATH = "/mcp"


def mcp(
    http: Annotated[
        bool, typer.Option("--http", help="Streamable HTTP in place of stdin and stdout.")
    ] = False,
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8765,
) -> None:
    """Serve MCP: the tools `reason` and `job`, over the service that runs here or at ANABRANCH_URL.

    Whoever reaches it acts with ANABRANCH_KEY; so by HTTP it listens on loopback alone.
    """
    try:
        from anabranch.service.mcp.server import make_server
    except ModuleNotFoundError as error:
        raise CannotStart(EXTRA) from error
    if http and not is_loopback(host):
        raise typer.BadParameter(f"{host} is no loopback address; whoever reaches it acts with ANABRANCH_KEY")
    read_settings()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    server = make_server(_connect, version("anabranch"))
    if http:
        print(f"MCP: http://{host}:{port}{PATH}", file=sys.stderr, flush=True)
        server.run("streamable-http", host=host, port=port, streamable_http_path=PATH)
    else:
        server.run()


def _connect() -> AsyncClient:
    """A client of the service that runs now: it may have come, or moved, since the last call. Raises NoService."""
    settings = read_settings()
    address = lasting_address(settings)
    if address is None:
        from anabranch.service.mcp.server import NoService

        raise NoService("no service runs on this machine: start `anabranch up`, or set ANABRANCH_URL")
    return AsyncClient(address, key=key_of(settings))
