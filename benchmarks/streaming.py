"""Follows jobs with many readers at once, and measures how soon the first character of an answer is read.

    python benchmarks/streaming.py [--followers 1000] [--jobs 50] [--speed 40]

The service is in a process of its own: REST, one organizer, a scripted engine, SQLite. Each follower reads one job by
`GET /v1/jobs/{id}/events?text=all` and checks that events come in order, none twice and none left out, and that the
live text of each segment is its text. Then single chats are streamed, in turn with bare decodes on an engine of the
same script: what the service adds to the engine's own time to first token is the difference.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import httpx

from anabranch.dag.decoding import Decoding
from anabranch.dag.ids import TRUNK, JobId
from anabranch.dag.text import Context
from anabranch.service.settings import Settings
from anabranch.service.store.sql import schema
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.messages import DecodeRequest, Key, Message, TextPiece
from anabranch.workers.pool.local import LocalPool

WORDS = 80
TRIES = 20
SAMPLES = {"name": "self-consistency", "params": {"n": 4, "stop": "all"}}


def recite(_request: DecodeRequest) -> Line:
    return Line(text=" ".join(f"w{number}" for number in range(WORDS)) + " \\boxed{7}")


def serve(folder: str, speed: float, told: Any) -> None:
    """REST and an organizer, until the process is ended."""
    from tests.service.organizer.conftest import NoChecks

    from anabranch.service.api.server import serve_api
    from anabranch.service.organizer.loop import Organizer
    from anabranch.service.organizer.traces import Traces
    from anabranch.service.store.store import Store

    settings = Settings(state=Path(folder))

    async def organize() -> None:
        store = Store(settings.database)
        pool = LocalPool(ScriptedEngine(recite, tokens_per_second=speed), max_decodes=1000)
        traces = Traces(store, "scripted")
        organizer = Organizer(store, pool, NoChecks(), traces, name="one", lease_seconds=10.0)
        await organizer.live.listen("127.0.0.1", 0)
        await organizer.run()

    threading.Thread(target=lambda: asyncio.run(organize()), daemon=True).start()
    with serve_api(settings) as url:
        told.send(url)
        threading.Event().wait()


class Follower:
    """Reads one job to its end, and remembers what was wrong."""

    def __init__(self, url: httpx.URL, job: str) -> None:
        self._url = url
        self._job = job
        self.events = self.texts = 0
        self.faults: list[str] = []
        self.delays: list[float] = []
        self._open: dict[tuple[str, int], str] = {}

    async def read(self) -> None:
        async for name, data in self._events():
            if name == "text":
                self._add(data)
            elif name != "message":
                self._check(name, data)
                if name in {"JobSucceeded", "JobFailed", "JobCancelled"}:
                    return
        self.faults.append("the stream ended before the job")

    def _add(self, text: dict[str, Any]) -> None:
        self.texts += 1
        place = text["branch"], text["segment"]
        known = self._open.get(place, "")
        if text["at"] != len(known):
            self.faults.append(f"text of {place} at {text['at']} behind {len(known)}")
        self._open[place] = known[: text["at"]] + text["text"]

    def _check(self, name: str, event: dict[str, Any]) -> None:
        self.events += 1
        if event["seq"] != self.events:
            self.faults.append(f"event {event['seq']} in the place of {self.events}")
        at = time.mktime(time.strptime(event["at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
        self.delays.append(time.time() - at - float(f"0.{event['at'][20:26]}"))
        if name == "SegmentFinished":
            place = event["branch"], event["payload"]["segment"]
            if self._open.pop(place, "") != event["payload"]["decoded"]["text"]:
                self.faults.append(f"the live text of {place} is not its text")

    async def _events(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Without a client's library: a thousand of them would measure it, and not the service."""
        assert self._url.port is not None
        reader, writer = await asyncio.open_connection(self._url.host, self._url.port, limit=2**22)
        target = f"/v1/jobs/{self._job}/events?text=all"
        writer.write(f"GET {target} HTTP/1.0\r\nHost: {self._url.host}:{self._url.port}\r\n\r\n".encode())
        name = "message"
        async for line in reader:
            if line.startswith(b"event: "):
                name = line[7:-1].decode()
            elif line.startswith(b"data: "):
                yield name, json.loads(line[6:])
        writer.close()


async def follow(client: httpx.AsyncClient, followers: int, jobs: int) -> int:
    """A crowd of readers; gives how many faults they found."""
    body = {"question": "Count.", "policy": SAMPLES}
    ids = [(await client.post("/v1/jobs", json=body)).json()["id"] for _ in range(jobs)]
    crowd = [Follower(client.base_url, ids[number % jobs]) for number in range(followers)]
    began = time.perf_counter()
    await asyncio.gather(*(follower.read() for follower in crowd))
    faults = [fault for follower in crowd for fault in follower.faults]
    delays = sorted(delay for follower in crowd for delay in follower.delays)
    told = sum(follower.events for follower in crowd), sum(follower.texts for follower in crowd)
    print(f"{followers} followers of {jobs} jobs, {time.perf_counter() - began:.1f} s: {told[0]:,} events and "
          f"{told[1]:,} texts, {len(faults)} faults; commit to receipt p50 {delays[len(delays) // 2]:.2f} s, "
          f"p99 {delays[len(delays) * 99 // 100]:.2f} s")  # fmt: skip
    for fault in faults[:10]:
        print("  fault:", fault)
    return len(faults)


async def first_token(pool: LocalPool, number: int) -> float:
    """Seconds from a bare decode's start to its first text."""
    came: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    key = Key(job=JobId(f"bare-{number}"), branch=TRUNK, segment=1)
    context = Context(messages=(("user", "Count."),))
    began = time.perf_counter()

    def deliver(message: Message) -> None:
        if isinstance(message, TextPiece) and not came.done():
            came.set_result(time.perf_counter() - began)

    pool.start([DecodeRequest(key=key, context=context, decoding=Decoding(), seed=1)], deliver)
    seconds = await came
    pool.abort([key])
    return seconds


async def first_content(client: httpx.AsyncClient) -> float:
    """Seconds from a chat's request to the first character of its answer."""
    body = {
        "model": "anabranch/sequential",
        "messages": [{"role": "user", "content": "Count."}],
        "stream": True,
    }
    began, seconds = time.perf_counter(), 0.0
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if not seconds and line.startswith("data: {") and '"content": "w' in line:
                seconds = time.perf_counter() - began
    return seconds


async def measure(client: httpx.AsyncClient, speed: float) -> None:
    pool = LocalPool(ScriptedEngine(recite, tokens_per_second=speed))
    bare, streamed = [], []
    for number in range(TRIES):
        bare.append(await first_token(pool, number))
        streamed.append(await first_content(client))
        await asyncio.sleep(0.2)
    await pool.close()
    own, ours = statistics.median(bare) * 1000, statistics.median(streamed) * 1000
    print(f"first character, median of {TRIES}: bare engine {own:.0f} ms, streamed chat {ours:.0f} ms, "
          f"{ours - own:.0f} ms more")  # fmt: skip


async def run(url: str, options: argparse.Namespace) -> int:
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        while not (await client.get("/readyz")).json()["replicas"]:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.1)
        await measure(client, options.speed)
        return await follow(client, options.followers, options.jobs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--followers", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--speed", type=float, default=40.0, help="tokens a second of each decode")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(schema.upgrade(Settings(state=Path(folder)).database))
        ours, theirs = multiprocessing.Pipe()
        service = multiprocessing.get_context("spawn").Process(
            target=serve, args=(folder, options.speed, theirs)
        )
        service.start()
        try:
            return min(1, asyncio.run(run(ours.recv(), options)))
        finally:
            service.terminate()
            with suppress(OSError):
                service.join()


if __name__ == "__main__":
    sys.exit(main())
