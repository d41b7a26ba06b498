"""An upstream that really computes, where torch is and vLLM is not: batches all streams, a token each for every step.

    python benchmarks/torch_upstream.py [--tokens 128] [--layers 16] [--width 2048] [--context-mb 0]

A step multiplies one row per stream with random weights, on the GPU where there is one: streams share the weights'
reading, as they do in a real engine's continuous batching, and nothing is known of what they say. With `--context-mb`
each reads that much of its own besides, as attention reads keys and values. It prints its port.
"""

import argparse
import asyncio
import json
from typing import Any

import torch
from aiohttp import web

WORD = "so "
LAST = "\\boxed{42}"


class Batch:
    """The streams under way."""

    def __init__(self, layers: int, width: int, context_mb: int = 0) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        kind = torch.bfloat16 if device == "cuda" else torch.float32
        self._weights = [torch.randn(width, width, device=device, dtype=kind) / width for _ in range(layers)]
        self._row = torch.randn(1, width, device=device, dtype=kind)
        rows = context_mb * 2**20 // (width * self._row.element_size())
        self._context = torch.randn(width, rows, device=device, dtype=kind)
        self._streams: set[asyncio.Queue[None]] = set()
        self._come = asyncio.Event()

    def enter(self) -> asyncio.Queue[None]:
        """A stream's tokens: one for each step that it is in."""
        tokens: asyncio.Queue[None] = asyncio.Queue()
        self._streams.add(tokens)
        self._come.set()
        return tokens

    def leave(self, tokens: asyncio.Queue[None]) -> None:
        self._streams.discard(tokens)

    async def run(self) -> None:
        while True:
            if not self._streams:
                self._come.clear()
                await self._come.wait()
            await asyncio.to_thread(self._step, len(self._streams))
            for tokens in self._streams:
                tokens.put_nowait(None)

    def _step(self, streams: int) -> None:
        rows = self._row.expand(streams, -1)
        for weights in self._weights:
            rows = torch.tanh(rows @ weights)
        if self._context.numel():
            for _ in range(streams):  # each reads as much as its keys and values would be
                self._row @ self._context
        rows.sum().item()  # waits for the device


def app_of(batch: Batch, tokens: int) -> web.Application:
    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "stub", "object": "model"}]})

    async def complete(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        mine = batch.enter()
        try:
            for number in range(tokens):
                await mine.get()
                await response.write(_chunk(LAST if number == tokens - 1 else WORD))
        finally:
            batch.leave(mine)
        usage = {"prompt_tokens": 12, "completion_tokens": tokens, "total_tokens": 12 + tokens}
        await response.write(_chunk("", "stop", usage=usage, model=asked.get("model")) + b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.add_routes([web.get("/v1/models", models), web.post("/v1/chat/completions", complete)])
    return app


def _chunk(content: str, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "choices": [choice], **more}
    return f"data: {json.dumps(told)}\n\n".encode()


async def serve(options: argparse.Namespace) -> None:
    await serve_batch(Batch(options.layers, options.width, options.context_mb), options.tokens)


async def serve_batch(batch: Batch, tokens: int) -> None:
    """Answers with so many tokens, a step of the batch each. Prints its port."""
    stepping = asyncio.create_task(batch.run())
    runner = web.AppRunner(app_of(batch, tokens))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await stepping


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=128, help="of each answer")
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--context-mb", type=int, default=0, help="that each stream reads in every step")
    asyncio.run(serve(parser.parse_args()))
