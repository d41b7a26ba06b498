"""What Serve's settings cost and gain on the path of a branch: a handle call, sixteen at once, a streamed chunk.

    python benchmarks/serve_settings.py [ROUNDS]

Each setting runs in a process and a Ray of its own, in turn, ROUNDS times (2); the best of the rounds counts, because
whatever else the machine does only ever adds. All of it listens on loopback only.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

SETTINGS: dict[str, dict[str, str]] = {
    "Serve's defaults": {
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "0",
    },
    "one event loop": {
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "0",
        "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_LOG_TO_STDERR": "0",
    },
    "gRPC only": {
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "0",
        "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    },
    "anabranch (throughput optimized, loopback)": {},
}
CALLS, GATHERS, CHUNKS = 300, 40, 400


async def timed(action: Callable[[], Awaitable[object]], times: int) -> list[float]:
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        await action()
        durations.append((time.perf_counter() - start) * 1000)
    return durations


async def measure(handle: Any) -> dict[str, float]:
    """Milliseconds, from inside a replica: where the organizer sits."""
    streaming = handle.options(stream=True, method_name="stream")

    async def gather() -> None:
        await asyncio.gather(*(handle.remote(index) for index in range(16)))

    async def stream() -> None:
        async for _ in streaming.remote(CHUNKS):
            pass

    await timed(lambda: handle.remote(0), 50)
    return {
        "call": median(await timed(lambda: handle.remote(0), CALLS)),
        "16 calls at once": median(await timed(gather, GATHERS)),
        "streamed chunk": min(await timed(stream, 5)) / CHUNKS,
    }


async def ask(deployment: str, app: str) -> Any:
    from anabranch.workers.cluster.ray_private import open_handle, shutdown_handle

    handle = open_handle(deployment, app)
    try:
        return await handle.remote()
    finally:
        await shutdown_handle(handle)


def one_setting() -> None:
    """Runs in a process of its own, with the setting in its environment."""
    from anabranch.workers.cluster.environment import local_ray

    with local_ray(cpus=4):
        from ray import serve

        @serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0}, max_ongoing_requests=100)
        class Echo:
            async def __call__(self, value: int) -> int:
                return value

            async def stream(self, chunks: int) -> Any:
                for chunk in range(chunks):
                    yield chunk

        @serve.deployment(ray_actor_options={"num_cpus": 0})
        class Caller:
            def __init__(self, echo: Any) -> None:
                self._echo = echo

            async def __call__(self) -> dict[str, float]:
                return await measure(self._echo)

        # Ray's decorator adds `bind`; mypy takes a decorated class for what it was.
        app = Caller.bind(Echo.bind())  # type: ignore[attr-defined]
        serve.run(app, name="settings", route_prefix=None)
        print(json.dumps(asyncio.run(ask("Caller", "settings"))))


def run_apart(environment: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--one"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{environment} failed:\n{done.stderr[-3000:]}")
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("{"))  # Ray writes there too
    result: dict[str, float] = json.loads(line)
    return result


def main(rounds: int) -> None:
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for name, environment in SETTINGS.items():
            measured = run_apart(environment)
            seen = best.setdefault(name, measured)
            best[name] = {what: min(seen[what], value) for what, value in measured.items()}
    whats = list(next(iter(best.values())))
    print("| ms | " + " | ".join(whats) + " |\n|" + "---|" * (len(whats) + 1))
    for name, values in best.items():
        print(f"| {name} | " + " | ".join(f"{values[what]:.2f}" for what in whats) + " |")


if __name__ == "__main__":
    if sys.argv[1:] == ["--one"]:
        one_setting()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
