"""Wall clock on a real engine: n samples asked of it bare, and the same n through Anabranch, in turn, in one run.

    python benchmarks/gpu.py [--model PATH_OR_NAME] [--widths 8,64,256] [--tokens 128] [--rounds 5]

With --model it is `vllm serve` of this machine, which loads it; without, an upstream of its own that computes with
torch (`torch_upstream.py`). Both get the same prompt and as many tokens: told are seconds, tokens a second, and the
processor time of Anabranch for each sample. On a GPU or on a CPU alike.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import aiohttp
from benchmarks.latency import HERE, QUESTION, UP, Rival, _client, _line, ours, program
from tests.databases import free_port

LOADING_SECONDS = 900


async def _bare(client: aiohttp.ClientSession, model: str, tokens: int) -> Rival:
    async def one() -> None:
        body = {"model": model, "messages": QUESTION, "stream": True, "max_tokens": tokens}
        async with client.post("/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            async for _ in response.content.iter_any():
                pass

    async def ask(n: int) -> None:
        await asyncio.gather(*(one() for _ in range(n)))

    return Rival("the engine, bare", ask)


async def _model_of(client: aiohttp.ClientSession) -> str:
    """Once it has loaded."""
    for _ in range(LOADING_SECONDS):
        with suppress(aiohttp.ClientConnectionError):
            async with client.get("/v1/models") as response:
                if response.status == 200:
                    return str((await response.json())["data"][0]["id"])
        await asyncio.sleep(1)
    raise TimeoutError


async def _through(rival: Rival, client: aiohttp.ClientSession, tokens: int) -> Rival:
    """The same, each sample of at most so many tokens."""

    async def ask(n: int) -> None:
        body = {
            "model": "anabranch/self-consistency",
            "messages": QUESTION,
            "max_tokens": tokens,
            "anabranch": {"params": {"n": n, "stop": "all"}},
        }
        async with client.post("/v1/chat/completions", json=body) as response:
            await response.read()  # small models give no answer to vote on: that is refused, and took as long

    return Rival(rival.name, ask, rival.url, rival.pid)


async def measure(options: argparse.Namespace, stack: ExitStack, upstream: str) -> None:
    async with _client(upstream) as engine:
        model = await _model_of(engine)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        process = stack.enter_context(
            program(*UP, "--upstream", f"{upstream}/v1", "--database", f"sqlite:///{folder}/gpu.db")
        )
        async with _client(_line(process).split()[-1]) as client:
            known = await ours("Anabranch, SQLite", client, str(client._base_url), process.pid)  # noqa: SLF001
            rivals = [
                await _bare(engine, model, options.tokens),
                await _through(known, client, options.tokens),
            ]
            print(f"{'':20}{'n':>5}{'seconds':>10}{'tokens/s':>10}{'of bare':>9}{'cpu ms/sample':>15}")
            for n in map(int, options.widths.split(",")):
                await _tell(rivals, n, options)


async def _tell(rivals: list[Rival], n: int, options: argparse.Namespace) -> None:
    taken: dict[str, list[float]] = {}
    spent: dict[str, list[float]] = {}
    for number in range(options.rounds + 1):
        for rival in rivals:
            before, began = rival.cpu(), time.perf_counter()
            await rival.ask(n)
            if number:  # the first one warms up
                taken.setdefault(rival.name, []).append(time.perf_counter() - began)
                spent.setdefault(rival.name, []).append(rival.cpu() - before)
    bare = statistics.median(taken[rivals[0].name])
    for rival in rivals:
        seconds = statistics.median(taken[rival.name])
        print(f"{rival.name:20}{n:5}{seconds:10.3f}{n * options.tokens / seconds:10.0f}{bare / seconds:9.2f}"
              f"{statistics.median(spent[rival.name]) / n:15.2f}", flush=True)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="for vLLM; without it, torch computes")
    parser.add_argument("--widths", default="8,64,256")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as stack:
        if options.model:
            port = str(free_port())
            vllm = str(Path(sys.executable).with_name("vllm"))
            stack.enter_context(program(vllm, "serve", options.model, "--port", port))
        else:
            upstream = str(HERE / "torch_upstream.py")
            engine = program(sys.executable, upstream, "--tokens", str(options.tokens))
            port = _line(stack.enter_context(engine)).strip()
        asyncio.run(measure(options, stack, f"http://127.0.0.1:{port}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
