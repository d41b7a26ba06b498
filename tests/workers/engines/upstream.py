"""A small real server that speaks OpenAI's chat completions by script: for the edges of the protocol."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from anabranch.dag.decoding import Fault
from anabranch.workers.engines.protocol import Chunk, Engine
from anabranch.workers.errors import DecodeError
from anabranch.workers.messages import DecodeRequest


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer byte for byte."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()
    """Each reaches the client by itself."""
    then: Literal["close", "cut", "hang"] = "close"
    """What the connection does behind the last piece."""


@dataclass
class Upstream:
    """What the server will answer, and what it was asked."""

    url: str = ""
    owned_by: str = "somebody"
    card: dict[str, Any] = field(default_factory=dict)
    listing: int = 200
    """HTTP status of the list of models."""
    listed: Answer | None = None
    """In place of the list of models."""
    models: tuple[str, ...] = ("some-model",)
    pieces: tuple[str, ...] = ("The ", "answer ", "is 4.")
    finish: str | None = "stop"
    """None: the stream ends without saying why."""
    breaks: bool = False
    """The connection is cut before the end."""
    stop_reason: str | int | None = None
    usage: dict[str, Any] | None = None
    usage_all_along: bool = False
    error: tuple[int, dict[str, Any]] | None = None
    """Status and body in place of a stream."""
    error_inside: dict[str, Any] | None = None
    """Told in the stream, after the pieces."""
    hang_after: int | None = None
    """Pieces after which nothing more comes."""
    heard: threading.Semaphore | None = None
    """Released for each event that may be sent; None: all of them at once."""
    answer: Answer | Callable[[dict[str, Any]], Answer | None] | None = None
    """In place of all this; or what makes it from the request, where it does."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    """By the client's port, one for each request."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client goes away in the middle."""

    def events(self) -> Iterator[dict[str, Any]]:
        for count, piece in enumerate(self.pieces, start=1):
            usage = {"usage": spent(completion=2 * count)} if self.usage_all_along else {}
            yield chunk({"index": 0, "delta": {"content": piece}, "finish_reason": None}) | usage
        if self.error_inside is not None:
            yield {"error": self.error_inside}
        elif self.finish is not None:
            ending = {"index": 0, "delta": {}, "finish_reason": self.finish}
            yield chunk(ending | ({} if self.stop_reason is None else {"stop_reason": self.stop_reason}))
            if self.usage is not None:
                yield chunk() | {"usage": self.usage}


def chunk(*choices: dict[str, Any]) -> dict[str, Any]:
    about = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "some-model"}
    return about | {"choices": list(choices)}


def spent(*, prompt: int = 11, completion: int, cached: int | None = None) -> dict[str, Any]:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return counts if cached is None else counts | {"prompt_tokens_details": {"cached_tokens": cached}}


def answered(answer: Answer) -> Response:
    headers = {"content-type": "text/event-stream"} | dict(answer.headers)
    return StreamingResponse(pieces(answer), status_code=answer.status, headers=headers)


async def pieces(answer: Answer) -> AsyncIterator[bytes]:
    for piece in answer.pieces:
        yield piece
        await asyncio.sleep(0.002)  # or the client's socket would join them again
    if answer.then == "cut":
        raise ConnectionResetError("cut on purpose")
    if answer.then == "hang":
        await asyncio.Event().wait()


def app_for(upstream: Upstream) -> FastAPI:
    app = FastAPI()

    @app.get("/v1/models")
    async def models() -> Response:
        if upstream.listed is not None:
            return answered(upstream.listed)
        cards = [
            {"id": name, "object": "model", "created": 1, "owned_by": upstream.owned_by} | upstream.card
            for name in upstream.models
        ]
        return JSONResponse({"object": "list", "data": cards}, status_code=upstream.listing)

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        upstream.asked.append(await request.json())
        upstream.keys.append(request.headers["authorization"])
        upstream.headers.append(dict(request.headers))
        assert request.client is not None
        upstream.connections.append(request.client.port)
        answer = upstream.answer
        if callable(answer):
            answer = answer(upstream.asked[-1])
        if answer is not None:
            return answered(answer)
        if upstream.error is not None:
            status, body = upstream.error
            return JSONResponse({"error": body}, status_code=status)
        return StreamingResponse(stream(), media_type="text/event-stream")

    async def stream() -> AsyncIterator[str]:
        try:
            for told, event in enumerate(upstream.events()):
                if told == upstream.hang_after:
                    await asyncio.Event().wait()
                while upstream.heard is not None and not upstream.heard.acquire(blocking=False):
                    await asyncio.sleep(0.001)
                yield f"data: {json.dumps(event)}\n\n"
            if upstream.breaks:
                raise ConnectionResetError("cut on purpose")
            yield "data: [DONE]\n\n"
        except asyncio.CancelledError:
            upstream.left.set()
            raise

    return app


@contextlib.contextmanager
def serving(upstream: Upstream) -> Iterator[None]:
    """The server on a free loopback port, in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        upstream.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        config = uvicorn.Config(
            app_for(upstream), log_level="critical", date_header=False, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join()


async def decoded(engine: Engine, request: DecodeRequest) -> list[Chunk]:
    async with contextlib.aclosing(engine.decode(request)) as chunks:
        return [chunk async for chunk in chunks]


async def one_by_one(upstream: Upstream, engine: Engine, request: DecodeRequest) -> list[Chunk]:
    """The chunks, where nothing is sent before what was sent last has been read."""
    upstream.heard, chunks = threading.Semaphore(1), list[Chunk]()
    async with contextlib.aclosing(engine.decode(request)) as coming:
        async for chunk in coming:
            chunks.append(chunk)
            upstream.heard.release(1 if len(chunks) < len(upstream.pieces) else 9)  # the end has no text
    return chunks


async def fault_of(engine: Engine, request: DecodeRequest) -> Fault:
    with pytest.raises(DecodeError) as error:
        await decoded(engine, request)
    return error.value.fault


def text_in(chunks: Iterable[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)
