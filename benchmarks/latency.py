"""What stands between a question and the engine, and between its last token and the reply.

    python benchmarks/latency.py [--rounds 20] [--widths 1,16,32] [--postgres URL] [--its-hub PYTHON] [--load]

Self-consistency of n samples over HTTP, upstream of 200 ms, which is a process of its own. Told is what each takes
beyond these 200 ms, and how much processor time all of its processes spend on one request, which other work on the
machine bends less. Rounds are interleaved: each asks every rival once for every n. Rivals: n bare calls from
the client; its_hub (which stores nothing), from an interpreter that has `its-hub[iaas]`; Anabranch on SQLite, and on
PostgreSQL where an empty database is named. With --load, closed loops of clients besides: requests a second, and how
long a submission takes with 200 clients.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import aiohttp

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import rows

HERE = Path(__file__).parent
DELAY = 0.2
WARM_UP = 3
BEGIN = 2.0
ITS_HUB = """
import os, sys
sys.stdout = open(os.devnull, "w")  # it tells each request
from its_hub.integration.iaas.app_server import serve
serve(port=8109)
"""
UP = (str(Path(sys.executable).with_name("anabranch")), "up", "--port", "0", "--model", "stub")
QUESTION = [{"role": "user", "content": "What is six times seven?"}]


@dataclass
class Rival:
    """Somebody who answers."""

    name: str
    ask: Callable[[int], Awaitable[None]]
    url: str = ""
    pid: int | None = None
    over: dict[int, list[float]] = field(default_factory=dict)
    """Milliseconds beyond the upstream's, by n."""
    spent: dict[int, list[float]] = field(default_factory=dict)
    """Milliseconds of processor time, by n."""

    def cpu(self) -> float:
        """Milliseconds of processor time that its processes have taken."""
        return 0.0 if self.pid is None else 1000 * sum(map(_seconds_of, _family(self.pid)))


def _family(pid: int) -> Iterator[int]:
    """A process and its children, as Linux knows them."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _seconds_of(pid: int) -> float:
    """By the scheduler's own count, which has nanoseconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def program(
    *command: str, output: IO[str] | None = None, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """A process with a state folder of its own: another Anabranch may run on this machine. `output`: where it tells
    what it does; else on the process's `stdout`, and nobody reads more than a line."""
    with (
        tempfile.TemporaryDirectory() as state,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output or subprocess.PIPE,
            stderr=output,
            text=True,
            env=os.environ | {"ANABRANCH_STATE": state} | environment,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


async def post(client: aiohttp.ClientSession, body: Mapping[str, object]) -> None:
    """Asks, and once more where it is told to come again, as OpenAI's own client does."""
    while True:
        async with client.post("/v1/chat/completions", json=body) as response:
            if response.status != 429:
                response.raise_for_status()
                assert "42" in (await response.json())["choices"][0]["message"]["content"]
                return
        await asyncio.sleep(float(response.headers["retry-after"]))


def bare(client: aiohttp.ClientSession) -> Rival:
    async def ask(n: int) -> None:
        body = {"model": "stub", "messages": QUESTION}
        await asyncio.gather(*(post(client, body) for _ in range(n)))

    return Rival("bare gather", ask)


async def its_hub(client: aiohttp.ClientSession, url: str, pid: int, upstream: str) -> Rival:
    told = {
        "endpoint": upstream,
        "api_key": "none",
        "model": "stub",
        "alg": "self-consistency",
        "regex_patterns": [r"\\boxed\{(.+?)\}"],
    }

    async def configured() -> bool:
        async with client.post("/configure", json=told) as response:
            return response.status == 200

    await wait_until(configured)

    async def ask(n: int) -> None:
        await post(client, {"model": "stub", "messages": QUESTION, "budget": n})

    return Rival("its_hub, nothing stored", ask, url, pid)


async def ours(name: str, client: aiohttp.ClientSession, url: str, pid: int) -> Rival:
    async def ready() -> bool:
        async with client.get("/readyz") as response:
            return bool((await response.json()).get("replicas"))

    await wait_until(ready)

    async def ask(n: int) -> None:
        body = {
            "model": "anabranch/self-consistency",
            "messages": QUESTION,
            "anabranch": {"params": {"n": n, "stop": "all"}},
        }
        await post(client, body)

    return Rival(name, ask, url, pid)


async def wait_until(is_so: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(600):
        with suppress(aiohttp.ClientConnectionError):
            if await is_so():
                return
        await asyncio.sleep(0.1)
    raise TimeoutError


async def measure(rivals: list[Rival], widths: list[int], rounds: int) -> None:
    for number in range(rounds + WARM_UP):
        for n in widths:
            for rival in rivals:
                spent, began = rival.cpu(), time.perf_counter()
                await rival.ask(n)
                over = 1000 * (time.perf_counter() - began - DELAY)
                await asyncio.sleep(0.05)  # what is done after the reply belongs to its cost
                if number >= WARM_UP:
                    rival.over.setdefault(n, []).append(over)
                    rival.spent.setdefault(n, []).append(rival.cpu() - spent)


def table(rivals: list[Rival], widths: list[int]) -> str:
    lines = [f"{'milliseconds beyond the upstream':34}" + "".join(f"{f'n = {n}':>24}" for n in widths)]
    lines += [f"{'':34}" + f"{'p50':>8}{'p99':>8}{'cpu':>8}" * len(widths)]
    for rival in rivals:
        row = f"{rival.name:34}"
        for n in widths:
            p50, p99 = _spread(rival.over[n])
            row += f"{p50:8.1f}{p99:8.1f}{statistics.median(rival.spent[n]):8.1f}"
        lines.append(row)
    return "\n".join(lines)


def _spread(taken: list[float]) -> tuple[float, float]:
    """Median and 99th percentile."""
    ordered = sorted(taken)
    return statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))]


# -- many clients


async def closed_loop(rival: Rival, n: int, clients: int, seconds: float) -> str:
    """So many clients, each of which asks again as soon as it was answered."""
    taken: list[float] = []
    until = time.perf_counter() + seconds

    async def client() -> None:
        while (began := time.perf_counter()) < until:
            await rival.ask(n)
            taken.append(1000 * (time.perf_counter() - began))

    spent, began = rival.cpu(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    lasted, each = time.perf_counter() - began, (rival.cpu() - spent) / len(taken)
    p50, p99 = _spread(taken)
    return (
        f"{rival.name:34}{n:4}{clients:8}{len(taken) / lasted:10.1f}{each:12.1f}"
        f"{1000 / each:18.1f}{p50:10.0f}{p99:8.0f}"
    )


async def submissions(rival: Rival, clients: int, seconds: float) -> str:
    """So many clients, each of which submits again as soon as its job was accepted; refused, it waits as it is told.
    Counted is what comes behind the first BEGIN seconds."""
    taken: list[float] = []
    refused: list[float] = []
    begin = time.perf_counter() + BEGIN
    until = begin + seconds
    body = {"question": QUESTION[0]["content"], "policy": {"name": "sequential"}}
    async with client_for(rival.url) as asking:

        async def client() -> None:
            while (began := time.perf_counter()) < until:
                async with asking.post("/v1/jobs", json=body) as response:
                    await response.read()
                lasted = 1000 * (time.perf_counter() - began)
                if response.status != 429:
                    response.raise_for_status()
                if began > begin:
                    (refused if response.status == 429 else taken).append(lasted)
                await asyncio.sleep(float(response.headers.get("retry-after", 0)))

        await asyncio.gather(*(client() for _ in range(clients)))
    p50, p99 = _spread(taken)
    return (
        f"{rival.name:34}{clients:8}{len(taken) / seconds:10.1f}{len(refused) / seconds:10.1f}"
        f"{p50:10.0f}{p99:8.0f}"
        f"{max(refused, default=0.0):16.0f}"
    )


def client_for(url: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        url,
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2),
        timeout=aiohttp.ClientTimeout(total=120),
    )


async def run(options: argparse.Namespace, starts: dict[str, tuple[str, int]], upstream: str) -> None:
    widths = [int(n) for n in options.widths.split(",")]
    async with AsyncExitStack() as stack:
        rivals = [bare(await stack.enter_async_context(client_for(upstream.removesuffix("/v1"))))]
        for name, (url, pid) in starts.items():
            client = await stack.enter_async_context(client_for(url))
            is_ours = name.startswith("Anabranch")
            rivals.append(
                await ours(name, client, url, pid) if is_ours else await its_hub(client, url, pid, upstream)
            )
        await measure(rivals, widths, options.rounds)
        print(table(rivals, widths))
        for n in widths:
            for what, kept in (("p50 beyond the upstream", "over"), ("processor time", "spent")):
                told = {rival.name: statistics.median(getattr(rival, kept)[n]) for rival in rivals}
                rows.append(options.rows, f"one request of n = {n}, {what}, ms", told)
        if options.load:
            print(f"\n{'closed loops':34}{'n':>4}{'clients':>8}{'jobs/s':>10}{'cpu ms/job':>12}"
                  f"{'jobs/s of a core':>18}{'p50 ms':>10}{'p99':>8}")  # fmt: skip
            for n, crowd in ((1, 8), (1, 32), (1, 200), (8, 8), (32, 4)):
                told = {}
                for rival in rivals[1:]:
                    print(line := await closed_loop(rival, n, crowd, options.seconds), flush=True)
                    told[rival.name] = float(line[46:56])
                rows.append(options.rows, f"{crowd} clients of n = {n}, jobs a second", told)
            print(f"\n{'submissions':34}{'clients':>8}{'taken/s':>10}{'refused/s':>10}{'p50 ms':>10}{'p99':>8}"
                  f"{'longest refusal':>16}")  # fmt: skip
            for rival in rivals[1:]:
                if rival.name.startswith("Anabranch"):
                    for crowd in (8, 50, 200):
                        print(await submissions(rival, crowd, options.seconds), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--widths", default="1,16,32")
    parser.add_argument("--postgres", help="URL of an empty database")
    parser.add_argument("--its-hub", metavar="PYTHON", help="an interpreter with its-hub[iaas] installed")
    parser.add_argument(
        "--rows", help="a file to which the figures are added, for one table of several scripts"
    )
    parser.add_argument("--load", action="store_true", help="also closed loops of many clients")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each closed loop")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        port = read_line(stack.enter_context(program(sys.executable, str(HERE / "upstream.py")))).strip()
        upstream = f"http://127.0.0.1:{port}/v1"
        starts: dict[str, tuple[str, int]] = {}
        if options.its_hub:
            process = stack.enter_context(program(options.its_hub, "-c", ITS_HUB))
            starts["its_hub"] = "http://127.0.0.1:8109", process.pid
        databases = {"SQLite": f"sqlite:///{folder}/latency.db"}
        if options.postgres:
            databases["PostgreSQL"] = options.postgres
            subprocess.run([UP[0], "db", "upgrade", "--database", options.postgres], check=True)
        for kind, database in databases.items():
            process = stack.enter_context(program(*UP, "--upstream", upstream, "--database", database))
            starts[f"Anabranch, {kind}"] = read_line(process).split()[-1], process.pid
        load = os.getloadavg()
        asyncio.run(run(options, starts, upstream))
        print(
            f"\nload of the machine: {load[0]:.1f} before, {os.getloadavg()[0]:.1f} after, {os.cpu_count()} cores"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
