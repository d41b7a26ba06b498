"""What is left when a vLLM process, or the replica above it, is killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.workers.conftest import Listener, RequestFor, fault_in

from anabranch.dag.text import Context
from anabranch.workers.engines.vllm.engine import VllmEngine
from anabranch.workers.engines.vllm.settings import VllmSettings
from anabranch.workers.errors import DecodeError, EngineDead
from anabranch.workers.pool.local import LocalPool

pytestmark = [pytest.mark.real, pytest.mark.chaos]

SETTINGS = VllmSettings(model="smollm2-135m", max_model_len=1024, kv_cache_gib=0.25)
REPLICA = """
import multiprocessing, time
from anabranch.workers.engines.vllm.engine import VllmEngine
from anabranch.workers.engines.vllm.settings import VllmSettings
if __name__ == "__main__":
    engine = VllmEngine(VllmSettings(model="smollm2-135m", max_model_len=1024, kv_cache_gib=0.25))
    print("started", *(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(600)
"""


def children() -> set[int]:
    return {child.pid for child in multiprocessing.active_children() if child.pid is not None}


async def test_when_vllm_is_killed_decodes_fail_and_the_replica_is_unhealthy(request_for: RequestFor) -> None:
    others = children()
    engine = VllmEngine(SETTINGS)
    (vllm,) = children() - others
    request = replace(request_for(max_tokens=1000), context=Context((), "1 2 3 4 5 6 7 8 9"))

    async with aclosing(engine.decode(request)) as chunks:
        await anext(chunks)
        os.kill(vllm, signal.SIGKILL)
        with pytest.raises(DecodeError) as error:
            async for _ in chunks:
                pass

    assert (error.value.fault.cause, error.value.fault.retryable) == ("replica-died", True)
    with pytest.raises(EngineDead, match="smollm2-135m has ended"):
        await engine.check_health()
    with pytest.raises(DecodeError, match="replica-died"):
        await anext(engine.decode(request))
    await engine.close()


async def test_when_vllm_hangs_the_decode_ends_and_the_next_one_is_well(
    request_for: RequestFor, listener: Listener
) -> None:
    others = children()
    pool = LocalPool(VllmEngine(SETTINGS), stall_seconds=3.0)
    (vllm,) = children() - others
    first = replace(request_for("0.1", max_tokens=900), context=Context((), "1 2 3 4 5 6 7 8 9"))
    pool.start([first], listener)
    await listener.until(lambda: bool(listener.text(first.key)))
    os.kill(vllm, signal.SIGSTOP)
    ends = await listener.all_end([first])
    os.kill(vllm, signal.SIGCONT)
    second = replace(request_for("0.2", max_tokens=5), context=first.context)
    pool.start([second], listener)
    ends |= await listener.all_end([first, second])

    assert fault_in(ends[first.key].decoded).cause == "timeout"
    assert ends[first.key].decoded.usage.completion_tokens > 0
    assert ends[second.key].decoded.fault is None
    await pool.close()


def test_a_killed_replica_takes_its_vllm_process_along(tmp_path: Path) -> None:
    script = tmp_path / "replica.py"
    script.write_text(REPLICA)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as replica:
        assert replica.stdout is not None
        started = next(line for line in replica.stdout if line.startswith("started"))
        replica.kill()
    processes = [int(pid) for pid in started.split()[1:]]

    assert processes
    while any(map(alive, processes)):  # the test's own time limit ends this
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """Zombies count as gone: they hold nothing, they wait for an init that reaps."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
