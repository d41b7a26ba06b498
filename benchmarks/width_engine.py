"""Runs width.py's load on an engine that really computes, through `anabranch up` as each system is set, in turn."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice

import aiohttp
from benchmarks.latency import QUESTION, UP, client_for, program, read_line
from benchmarks.width import SLACK, TARGETS, System

from anabranch.dag.simulation.arrivals import arrival_times
from anabranch.dag.simulation.description import Arrivals

LEFT_OUT = ("at most 2", "at most 8")
MIXTURE = ("chat", "wide-16", "chat", "chat", "chat", "chat", "wide-32", "chat", "chat", "chat")
WIDE = 32
PROBES = 3
LATE = 1.2
WARMING = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of one job."""

    kind: str
    seconds: float

    def is_good(self, alone: float) -> bool:
        return self.seconds <= TARGETS[self.kind] * alone


async def measure(engine: str, systems: Sequence[System], seconds: float, load: float) -> None:
    """Prints goodput of each system, and the ratios of slack to the others."""
    async with client_for(engine) as client:
        alone, beside = await _seconds_of(client, 1), await _seconds_of(client, WIDE)
    slope = max(beside - alone, 0.01 * alone) / (WIDE - 1)
    streams = 1 + (load - 1) * alone / slope
    each = sum(_branches(kind) for kind in MIXTURE) / len(MIXTURE)
    rate = streams / (load * alone) / each
    print(f"alone {alone:.2f} s, beside {WIDE - 1} others {beside:.2f} s; {rate:.2f} jobs a second, "
          f"for {streams:.0f} streams at once", flush=True)  # fmt: skip
    times = list(_times(rate, seconds))
    found: dict[str, float] = {}
    for system in (each for each in systems if each.name not in LEFT_OUT):
        asked = await _ask_all(engine, system, times, alone)
        found[system.name] = _tell(system, asked, alone, seconds)
    for name, goodput in found.items():
        if name != SLACK.name:
            print(
                f"slack / {name:14} {found[SLACK.name] / goodput if goodput else float('inf'):5.2f} of good jobs"
            )


def _times(rate: float, seconds: float) -> Iterator[float]:
    jobs = round(rate * seconds)
    return arrival_times(Arrivals(process="poisson", jobs=jobs, rate=rate), seed=0)


def _branches(kind: str) -> int:
    return 1 if kind == "chat" else int(kind.removeprefix("wide-"))


async def _seconds_of(client: aiohttp.ClientSession, streams: int) -> float:
    """The median over a few tries of how long so many streams at once take, asked bare; the first warms up."""

    async def one() -> None:
        body = {"model": "stub", "messages": QUESTION, "stream": True}
        async with client.post("/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            await response.read()

    taken: list[float] = []
    for _ in range(PROBES + 1):
        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(streams)))
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


async def _ask_all(engine: str, system: System, times: Sequence[float], alone: float) -> list[Asked]:
    """The jobs, each at its time, of a service of its own."""
    settings = {"ANABRANCH_WIDTH": str(system.width)}
    if system.slowdown:
        settings["ANABRANCH_SLOWDOWN"] = str(system.slowdown)
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/width.db"
        with program(
            *UP, "--upstream", f"{engine}/v1", "--database", store, output=None, **settings
        ) as process:
            async with client_for(read_line(process).split()[-1]) as client:
                # Warms up, and lets the step time be learned.
                await asyncio.gather(*(_ask(client, "chat", alone) for _ in range(WARMING)))
                await asyncio.gather(*(_ask(client, "chat", alone) for _ in range(2 * WARMING)))
                began = time.perf_counter()
                jobs = (
                    _ask(client, kind, alone, began + when)
                    for kind, when in zip(islice(cycle(MIXTURE), len(times)), times, strict=True)
                )
                asked = list(await asyncio.gather(*jobs))
                process.kill()  # it would end what nobody waits for any more
                return asked


async def _ask(client: aiohttp.ClientSession, kind: str, alone: float, due: float | None = None) -> Asked:
    """Nobody waits longer than LATE times the target; the job goes on, and keeps the engine busy."""
    await asyncio.sleep(0.0 if due is None else max(0.0, due - time.perf_counter()))
    began = time.perf_counter() if due is None else due
    policy = "sequential" if kind == "chat" else "self-consistency"
    params = {} if kind == "chat" else {"n": _branches(kind), "stop": "all"}
    body = {"model": f"anabranch/{policy}", "messages": QUESTION, "anabranch": {"params": params}}
    with suppress(TimeoutError):
        async with asyncio.timeout(LATE * TARGETS[kind] * alone):
            async with client.post("/v1/chat/completions", json=body) as response:
                response.raise_for_status()
                await response.read()
    return Asked(kind=kind, seconds=time.perf_counter() - began)


def _tell(system: System, asked: Sequence[Asked], alone: float, seconds: float) -> float:
    """Prints a line; gives the good jobs a second."""
    good = [job for job in asked if job.is_good(alone)]
    shares = []
    for chats in (True, False):
        of_kind = [job for job in asked if (job.kind == "chat") is chats]
        times = statistics.median(job.seconds for job in of_kind) / alone
        share = sum(job.is_good(alone) for job in of_kind) / len(of_kind)
        shares.append(f"{share:4.0%} at {times:5.2f}")
    print(f"{system.name:14}{len(good) / seconds:7.2f} good jobs a second; chats good {shares[0]} times alone, "
          f"wide jobs {shares[1]}", flush=True)  # fmt: skip
    return len(good) / seconds
