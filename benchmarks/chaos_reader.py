"""Reads an answer while it is written, whatever dies meanwhile, and remembers each promise that is broken."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import httpx

ENDS = {"JobSucceeded", "JobFailed", "JobCancelled"}
Place = tuple[str, int]


class Reader:
    """One who reads the live text of a job's final thought, and connects again when the stream breaks.

    What was told of a segment stays: a later stream tells the same from its beginning, and the segment's end has it.
    """

    def __init__(self, http: httpx.AsyncClient, job: str, urls: Sequence[str], *, first: int = 0) -> None:
        """Reads at the URL numbered `first`, and at the next one after each break."""
        self._http = http
        self._job = job
        self._urls = urls
        self._nth = first
        self._seen = 0
        self._told: dict[Place, str] = {}
        self.pieces = 0
        self.broken: list[str] = []

    async def read(self) -> None:
        """Until the job has ended."""
        while True:
            with suppress(httpx.TransportError):
                if await self._stream():
                    return
            self._nth += 1
            await asyncio.sleep(0.5)

    async def _stream(self) -> bool:
        """Whether the job's end was read."""
        here: dict[Place, str] = {}
        url, asked = self._urls[self._nth % len(self._urls)], {"text": "answer"}
        resumed = {"Last-Event-ID": str(self._seen)} if self._seen else {}
        async with self._http.stream(
            "GET", f"{url}/v1/jobs/{self._job}/events", params=asked, headers=resumed
        ) as response:
            async for name, data in _events(response):
                if name == "text":
                    self._add(here, data)
                    continue
                if data["seq"] != self._seen + 1:
                    self.broken.append(f"{self._job}: event {data['seq']} was told behind {self._seen}")
                self._seen = data["seq"]
                if name == "SegmentFinished":
                    self._finish(
                        (data["branch"], data["payload"]["segment"]), data["payload"]["decoded"]["text"]
                    )
                if name in ENDS:
                    return True
            return response.status_code == httpx.codes.NO_CONTENT

    def _add(self, here: dict[Place, str], text: dict[str, Any]) -> None:
        place = text["branch"], text["segment"]
        before = here.get(place, "")
        if text["at"] != len(before):
            self.broken.append(
                f"{self._job}: text of {place} at {text['at']} behind {len(before)} characters"
            )
        here[place] = before + text["text"]
        told = self._told.get(place, "")
        longer, shorter = sorted((told, here[place]), key=len, reverse=True)
        if not longer.startswith(shorter):
            self.broken.append(f"{self._job}: {place} was told as {told!r} and then as {here[place]!r}")
        self._told[place] = longer
        self.pieces += 1

    def _finish(self, place: Place, text: str) -> None:
        told = self._told.pop(place, "")
        if not text.startswith(told):
            self.broken.append(f"{self._job}: {place} was told as {told!r} and ended as {text!r}")


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
