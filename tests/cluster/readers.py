"""Reads streams as clients do that know how to go on elsewhere: events behind the last one seen, completions by their
id."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx

from anabranch.dag.ids import JobId


@dataclass(slots=True)
class EventsReader:
    """Follows a job's events and the text of its answer."""

    http: httpx.AsyncClient
    job: JobId
    seqs: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    pieces: int = 0

    async def read(self, url: str, *, pieces: int | None = None) -> None:
        """From behind the last event on: until so many pieces of text were read, or to the job's end."""
        resumed = {"Last-Event-ID": str(self.seqs[-1])} if self.seqs else {}
        path = f"{url}/v1/jobs/{self.job}/events"
        async with self.http.stream("GET", path, params={"text": "answer"}, headers=resumed) as response:
            response.raise_for_status()
            async with aclosing(messages(response)) as told:
                async for name, data in told:
                    if name == "text":
                        self.pieces += 1
                    else:
                        self.seqs.append(data["seq"])
                        self.names.append(name)
                    if pieces is not None and self.pieces >= pieces:
                        return


@dataclass(slots=True)
class CompletionReader:
    """Reads a streamed chat completion."""

    http: httpx.AsyncClient
    id: str = ""
    job: JobId | None = None
    text: str = ""
    pieces: int = 0

    async def ask(self, url: str, question: str) -> None:
        """Reads to its end. Raises TransportError when whoever answers dies."""
        asked = {
            "model": "anabranch/sequential",
            "messages": [{"role": "user", "content": question}],
            "stream": True,
            "store": True,
        }
        async with self.http.stream("POST", f"{url}/v1/chat/completions", json=asked) as response:
            await self._read(response)

    async def take_up(self, url: str) -> None:
        """Reads it from its beginning, to its end."""
        told, self.text = self.text, ""
        path = f"{url}/v1/chat/completions/{self.id}"
        async with self.http.stream("GET", path, params={"stream": True}) as response:
            await self._read(response)
        assert self.text.startswith(told), "what was told has been changed"

    async def _read(self, response: httpx.Response) -> None:
        response.raise_for_status()
        self.job = JobId(response.headers["X-Anabranch-Job"])
        async with aclosing(messages(response)) as chunks:
            async for _, chunk in chunks:
                self.id = chunk["id"]
                for choice in chunk["choices"]:
                    if content := choice["delta"].get("content"):
                        self.text += content
                        self.pieces += 1


async def messages(response: httpx.Response) -> AsyncGenerator[tuple[str, Any], None]:
    """The name and the data of each message."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: ") and line != "data: [DONE]":
            yield name, json.loads(line.removeprefix("data: "))
