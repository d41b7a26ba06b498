"""Answers HEAD on everything that can be got: the same status and headers, and no body."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: asks what is behind it with GET, sends the headers, and tells it then that the client has gone,
    or a stream would go on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        begun = asyncio.Event()

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                begun.set()

        async def receive_until_begun() -> Message:
            await begun.wait()
            return {"type": "http.disconnect"}

        await self._app({**scope, "method": "GET"}, receive_until_begun, send_headers)
