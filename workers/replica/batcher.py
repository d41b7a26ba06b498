"""Gathers what many decodes have to say into few batches: a message per token would cost more than the token."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from anabranch.workers.messages import Key, Message, TextPiece

SIGN_SECONDS = 1.0
"""After so long without anything to say, an empty batch is the sign of life."""


class Batcher:
    """Text leaves at most every `interval` seconds, joined per segment; an ended segment leaves at once, in order with
    the text before it. Something leaves every second, if only a sign of life."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._messages: dict[tuple[Key, int, type], Message] = {}
        self._filled = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closed = False

    def put(self, message: Message) -> None:
        place = (message.key, message.segment, type(message))
        if isinstance(message, TextPiece):
            before = self._messages.get(place)
            if isinstance(before, TextPiece):
                message = _together(before, message)
        else:
            self._urgent.set()
        self._messages[place] = message
        self._filled.set()

    def close(self) -> None:
        """Nothing more will come: `batches` ends after what is left."""
        self._closed = True
        self._urgent.set()
        self._filled.set()

    async def batches(self) -> AsyncIterator[list[Message]]:
        """For one consumer. Empty ones are signs of life."""
        while True:
            try:
                async with asyncio.timeout(SIGN_SECONDS):
                    await self._filled.wait()
            except TimeoutError:
                yield []
                continue
            batch = self._take()
            if batch:
                yield batch
            elif self._closed:
                return
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._urgent.wait()
        except TimeoutError:
            return

    def _take(self) -> list[Message]:
        batch, self._messages = list(self._messages.values()), {}
        if not self._closed:
            self._urgent.clear()
            self._filled.clear()
        return batch


def _together(before: TextPiece, piece: TextPiece) -> TextPiece:
    """Both pieces as one."""
    if piece.recast:
        return replace(piece, thought_offset=before.offset, thought=before.text + piece.thought)
    return replace(
        piece,
        offset=before.offset,
        text=before.text + piece.text,
        thought_offset=before.thought_offset,
        thought=before.thought + piece.thought,
        recast=before.recast,
    )
