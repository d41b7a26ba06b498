"""Words requests for httpx, and its errors for us: what the blocking and the asynchronous client have in common."""

from collections.abc import Mapping
from typing import Any

import httpx

from anabranch.service.client.calls import Reply, Request
from anabranch.service.client.errors import ServiceAway

SILENT_SECONDS = 60.0
"""A stream that says nothing for so long is given up, and resumed: a live one sends a comment every 15 seconds."""
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def client_options(url: str, key: str | None) -> dict[str, Any]:
    """For the constructors of both of httpx's clients."""
    headers = {"X-Anabranch": "client"} | ({"Authorization": f"Bearer {key}"} if key else {})
    return {"base_url": url, "headers": headers, "timeout": None}


def request_options(request: Request, timeout: float, *, streamed: bool = False) -> dict[str, Any]:
    """For `stream` of both of httpx's clients."""
    reading = SILENT_SECONDS if streamed else timeout + request.held
    return {
        "method": request.method,
        "url": request.path,
        "params": dict(request.params),
        "headers": dict(request.headers),
        "json": request.body,
        "content": request.lines,
        "timeout": httpx.Timeout(timeout, read=reading),
    }


def head_of(response: httpx.Response, body: bytes = b"") -> Reply:
    headers: Mapping[str, str] = response.headers
    return Reply(response.status_code, headers, body)


def away(url: str, error: httpx.TransportError) -> ServiceAway:
    return ServiceAway(url, str(error) or type(error).__name__, arrived=not isinstance(error, NEVER_SENT))
