"""Reads several streams at once."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def merge(streams: Sequence[AsyncGenerator[T]]) -> AsyncGenerator[T]:
    """What each of them gives, as it comes. One that raises does so when all have ended; whoever leaves early closes
    all."""
    heard: asyncio.Queue[tuple[T] | None] = asyncio.Queue(
        1
    )  # a slow reader holds the streams up, not their news

    async def read(stream: AsyncGenerator[T]) -> None:
        try:
            async with aclosing(stream):
                async for each in stream:
                    await heard.put((each,))
        except Exception:
            await heard.put(None)
            raise
        await heard.put(None)

    reading = [asyncio.create_task(read(stream)) for stream in streams]
    try:
        still_open = len(reading)
        while still_open:
            match await heard.get():
                case None:
                    still_open -= 1
                case (each,):
                    yield each
        await asyncio.gather(*reading)
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
