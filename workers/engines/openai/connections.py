"""Keeps connections to an upstream and posts requests on them.

It is aiohttp's client, whose parser is compiled: a request costs a fraction of what httpx takes for it, and a fork of
many branches asks for all of them at once.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx

CONNECT_SECONDS = 10.0
KEPT_SECONDS = 5.0
"""How long a connection waits for the next request: many servers close theirs after as long."""


class Connections:
    """Connections to one upstream, made when they are needed, as many as there are requests at once."""

    def __init__(self, headers: Mapping[str, str], silence: float) -> None:
        """`silence`: seconds without a byte after which an answer is given up."""
        self._headers = headers
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence)
        self._trusted = httpx.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None
        self._proxy = cache(proxy_of)

    @asynccontextmanager
    async def post(
        self, url: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response to this JSON, with these headers beside those of all; its body is still to be read. Left
        before its end, its connection is closed. Raises aiohttp.ClientError and TimeoutError."""
        if self._session is None:
            self._session = self._open()
        async with self._session.post(url, json=body, headers=headers, proxy=self._proxy(url)) as response:
            yield response

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        """On the event loop that asks. Certificates are those that httpx believes in, too."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS, ssl=self._trusted)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=self._timeout,
        )


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for this URL: HTTPS_PROXY, ALL_PROXY, NO_PROXY, as curl reads them."""
    asked = urlsplit(url)
    proxies = getproxies()
    found = proxies.get(asked.scheme) or proxies.get("all")
    return None if found is None or proxy_bypass(asked.netloc) else found
