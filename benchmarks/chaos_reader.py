"""Reads an answer while it is written, whatever dies meanwhile, and remembers each promise that is broken."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import httpx
from tests.cluster.clients import LATER

ENDS = {"JobSucceeded", "JobFailed", "JobCancelled"}
Place = tuple[str, int]


class _Stubborn:
    """One who reads a stream to its end, at the next URL after each break."""

    _nth: int

    async def read(self) -> None:
        """Until the end was read."""
        while True:
            with suppress(httpx.TransportError):
                if await self._stream():
                    return
            self._nth += 1
            await asyncio.sleep(0.5)

    async def _stream(self) -> bool:
        """Whether the end was read, before this stream broke."""
        raise NotImplementedError


class Reader(_Stubborn):
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


class ChatReader(_Stubborn):
    """One who asks for a streamed chat completion and takes it up elsewhere when the stream breaks.

    What was told stays: taken up, it is told again from its beginning, the same.
    """

    def __init__(self, http: httpx.AsyncClient, number: int, question: str, urls: Sequence[str]) -> None:
        self._http = http
        self._nth = number
        self._urls = urls
        self._key = {"Idempotency-Key": f"chat-{number}"}
        self._asked = {
            "model": "anabranch/sequential",
            "messages": [{"role": "user", "content": question}],
            "stream": True,
            "seed": number,
        }
        self._id = ""
        self._told = ""
        self.job = ""
        self.pieces = 0
        self.broken: list[str] = []

    async def _stream(self) -> bool:
        """Whether its end was read. Before its id is known, it is asked for again, with the same key."""
        path = f"{self._urls[self._nth % len(self._urls)]}/v1/chat/completions"
        ask = (
            self._http.stream("GET", f"{path}/{self._id}", params={"stream": True})
            if self._id
            else self._http.stream("POST", path, json=self._asked, headers=self._key)
        )
        here = ""
        async with ask as response:
            if response.status_code in LATER:
                return False
            response.raise_for_status()
            self._know("job", response.headers["X-Anabranch-Job"])
            async for line in response.aiter_lines():
                if line == "data: [DONE]":
                    return self._finish(here)
                if line.startswith("data: "):
                    here += self._read(json.loads(line.removeprefix("data: ")), here)
        return False

    def _read(self, chunk: dict[str, Any], here: str) -> str:
        """The piece of the answer that a chunk brings."""
        if "error" in chunk:
            self.broken.append(f"{self.job}: its completion ended with {chunk['error']}")
            return ""
        self._know("_id", chunk["id"])
        piece = "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
        self.pieces += bool(piece)
        longer, shorter = sorted((self._told, here + piece), key=len, reverse=True)
        if not longer.startswith(shorter):
            self.broken.append(f"{self.job}: was told as {self._told!r} and then as {here + piece!r}")
        self._told = longer
        return piece

    def _know(self, name: str, value: str) -> None:
        if getattr(self, name) not in {"", value}:
            self.broken.append(f"{getattr(self, name)}: taken up, it is {value}")
        setattr(self, name, value)

    def _finish(self, text: str) -> bool:
        if text != self._told:
            self.broken.append(f"{self.job}: ended as {text!r} and was told as {self._told!r}")
        return True


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
