"""Five samples through who is a drop-in for OpenAI's endpoint: OptiLLM's self-consistency, ours, and bare calls.

    python benchmarks/drop_in.py --peers PYTHON [--rounds 10] [--rows FILE]

PYTHON is an interpreter with `optillm` installed, whose number of samples is fixed. An upstream of 200 ms; told is the
whole time of a request, in turn, in one run.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import rows
from benchmarks.latency import (
    HERE,
    QUESTION,
    UP,
    Rival,
    bare,
    client_for,
    ours,
    post,
    program,
    read_line,
    wait_until,
)
from tests.databases import free_port

SAMPLES = 5


async def optillm(stack: AsyncExitStack, url: str) -> Rival:
    client = await stack.enter_async_context(client_for(url))

    async def answers() -> bool:
        async with client.get("/v1/models") as response:
            return response.status == 200

    await wait_until(answers)

    async def ask(_: int) -> None:
        await post(client, {"model": "self_consistency-stub", "messages": QUESTION})

    return Rival("OptiLLM, nothing stored", ask)


async def measure(upstream: str, anabranch: str, pid: int, rival: str, rounds: int) -> dict[str, float]:
    """Seconds at the median."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(client_for(upstream))
        client = await stack.enter_async_context(client_for(anabranch))
        rivals = [
            bare(engine),
            await ours(rows.OURS, client, anabranch, pid),
            await optillm(stack, rival),
        ]
        taken: dict[str, list[float]] = {each.name: [] for each in rivals}
        for number in range(rounds + 1):
            for each in rivals:
                began = time.perf_counter()
                await each.ask(SAMPLES)
                if number:  # the first one warms up
                    taken[each.name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", metavar="PYTHON", required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rows", help="a file to which the figures are added")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        port = read_line(stack.enter_context(program(sys.executable, str(HERE / "upstream.py")))).strip()
        upstream, listening = f"http://127.0.0.1:{port}", str(free_port())
        peer = (options.peers, "-m", "optillm.server", "--model", "stub", "--port", listening)
        log = stack.enter_context((Path(folder) / "optillm.log").open("w"))
        stack.enter_context(program(*peer, "--base-url", f"{upstream}/v1", output=log, OPENAI_API_KEY="none"))
        on = ("--upstream", f"{upstream}/v1", "--database", f"sqlite:///{folder}/drop_in.db")
        process = stack.enter_context(program(*UP, *on))
        anabranch, rival = read_line(process).split()[-1], f"http://127.0.0.1:{listening}"
        told = asyncio.run(measure(upstream, anabranch, process.pid, rival, options.rounds))
    for name, seconds in told.items():
        print(f"{name:34}{seconds:8.3f} s")
    rows.append(options.rows, f"one request of n = {SAMPLES}, upstream of 200 ms, s", told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
