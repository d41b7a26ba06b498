"""Wall clock on a real engine: n samples asked of it bare, and the same n through Anabranch, in turn, in one run.

    python benchmarks/gpu.py [--engine URL | --model PATH_OR_NAME] [--widths 8,64,256] [--tokens 128] [--rounds 5]

With --engine it is a server that runs already, as http://127.0.0.1:8000; with --model `vllm serve` of this machine,
which loads it; without either, an upstream of its own that computes with torch (`torch_upstream.py`). Both get the
same messages, at the same temperature, and as many tokens at most: told are seconds, tokens a second as the engine
counted them, and the processor time of Anabranch for each sample. On a GPU or on a CPU alike.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import aiohttp
from benchmarks.latency import HERE, UP, Rival, client_for, ours, program, read_line
from tests.databases import free_port

LOADING_SECONDS = 900
QUESTION = [{"role": "user", "content": "Write the numbers from 1 to 1000, one after another."}]
"""Its answer is as long as it may be, and the last number of what was cut off can be counted."""
TEMPERATURE = 0.8
NO_HURRY = aiohttp.ClientTimeout(total=None)


@dataclass
class Side:
    """One of the two, and what was measured of it for one n."""

    name: str
    ask: Callable[[int], Awaitable[int]]
    """Draws n samples, gives the tokens that were decoded."""
    rival: Rival | None = None
    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    """Milliseconds of processor time."""

    def cpu(self) -> float:
        return self.rival.cpu() if self.rival else 0.0


def bare(client: aiohttp.ClientSession, model: str, tokens: int) -> Side:
    body = {"model": model, "messages": QUESTION, "max_tokens": tokens, "temperature": TEMPERATURE}
    body |= {"stream": True, "stream_options": {"include_usage": True}}

    async def one() -> int:
        decoded = 0
        async with client.post("/v1/chat/completions", json=body, timeout=NO_HURRY) as response:
            response.raise_for_status()
            async for line in response.content:
                if b'"usage"' in line:
                    told = json.loads(line.removeprefix(b"data: ")).get("usage") or {}
                    decoded = told.get("completion_tokens", decoded)
        return decoded

    async def ask(n: int) -> int:
        return sum(await asyncio.gather(*(one() for _ in range(n))))

    return Side("the engine, bare", ask)


def through(rival: Rival, client: aiohttp.ClientSession, tokens: int) -> Side:
    async def ask(n: int) -> int:
        body = {
            "model": "anabranch/self-consistency",
            "messages": QUESTION,
            "max_tokens": tokens,
            "anabranch": {"params": {"n": n, "stop": "all", "ask": False, "temperature": TEMPERATURE}},
        }
        async with client.post("/v1/chat/completions", json=body, timeout=NO_HURRY) as response:
            response.raise_for_status()
            return int((await response.json())["usage"]["completion_tokens"])

    return Side(rival.name, ask, rival)


async def _model_of(client: aiohttp.ClientSession) -> str:
    """Once it has loaded."""
    for _ in range(LOADING_SECONDS):
        with suppress(aiohttp.ClientConnectionError):
            async with client.get("/v1/models") as response:
                if response.status == 200:
                    return str((await response.json())["data"][0]["id"])
        await asyncio.sleep(1)
    raise TimeoutError


async def measure(options: argparse.Namespace, stack: ExitStack, upstream: str) -> None:
    async with client_for(upstream) as engine:
        model = await _model_of(engine)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        of_it = ("--model", model, "--upstream", f"{upstream}/v1", "--database", f"sqlite:///{folder}/gpu.db")
        process = stack.enter_context(program(*UP[:-2], *of_it))
        async with client_for(read_line(process).split()[-1]) as client:
            known = await ours("Anabranch, SQLite", client, str(client._base_url), process.pid)  # noqa: SLF001
            print(f"{'':20}{'n':>5}{'seconds':>10}{'tokens/s':>10}{'of bare':>9}{'cpu ms/sample':>15}")
            for n in map(int, options.widths.split(",")):
                sides = [bare(engine, model, options.tokens), through(known, client, options.tokens)]
                await _race(sides, n, options.rounds)
                _tell(sides, n)


async def _race(sides: list[Side], n: int, rounds: int) -> None:
    for number in range(rounds + 1):
        for side in sides:
            before, began = side.cpu(), time.perf_counter()
            tokens = await side.ask(n)
            if number:  # the first one warms up
                side.seconds.append(time.perf_counter() - began)
                side.spent.append(side.cpu() - before)
                side.tokens.append(tokens)


def _tell(sides: list[Side], n: int) -> None:
    """`of bare`: tokens a second, as a share of the bare engine's."""
    rates = [sum(side.tokens) / sum(side.seconds) for side in sides]
    for side, rate in zip(sides, rates, strict=True):
        print(f"{side.name:20}{n:5}{statistics.median(side.seconds):10.3f}{rate:10.0f}{rate / rates[0]:9.2f}"
              f"{statistics.median(side.spent) / n:15.2f}", flush=True)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    engine = parser.add_mutually_exclusive_group()
    engine.add_argument("--engine", metavar="URL", help="of a server that runs already")
    engine.add_argument("--model", help="for vLLM; without both, torch computes")
    parser.add_argument("--widths", default="8,64,256")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as stack:
        asyncio.run(measure(options, stack, options.engine or _start(options, stack)))
    return 0


def _start(options: argparse.Namespace, stack: ExitStack) -> str:
    """The engine's URL, which may be loading still."""
    if options.model:
        port = str(free_port())
        vllm = str(Path(sys.executable).with_name("vllm"))
        stack.enter_context(program(vllm, "serve", options.model, "--port", port))
    else:
        upstream = str(HERE / "torch_upstream.py")
        engine = program(sys.executable, upstream, "--tokens", str(options.tokens))
        port = read_line(stack.enter_context(engine)).strip()
    return f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    sys.exit(main())
