"""Checks and tools in threads of this process."""

import asyncio
import subprocess
import sys
import threading

import pytest

from anabranch.dag.actions import Verifier
from anabranch.dag.ids import BranchId
from anabranch.workers.checks.local import LocalChecks
from anabranch.workers.errors import DecodeError


async def test_answers_are_compared_values_verified_and_tools_called() -> None:
    checks = LocalChecks({"upper": "string:capwords"})
    assert await checks.compare((r"x+1", r"1+x", r"2")) == ((0, 1), (2,))
    values = {BranchId("0.1"): r"\boxed{0.5}", BranchId("0.2"): "3"}
    scores, _ = await checks.verify(Verifier(kind="math", spec={"answer": "1/2"}), values)
    assert scores == {"0.1": 1.0, "0.2": 0.0}
    assert await checks.run_tool("upper", {"s": "two words"}) == "Two Words"
    with pytest.raises(DecodeError, match="unknown-tool"):
        await checks.run_tool("rm", {})


async def test_a_tool_that_takes_its_time_holds_nobody_else() -> None:
    checks = LocalChecks(
        {"thread": f"{__name__}:thread", "upper": "string:capwords", "wait": f"{__name__}:wait"}
    )
    waiting = asyncio.create_task(checks.run_tool("wait", {}))
    assert await checks.run_tool("upper", {"s": "two words"}) == "Two Words"
    assert await checks.run_tool("thread", {}) != str(threading.get_ident())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    GO.set()  # the thread comes to its end, and whoever asked is gone: nothing is raised


def thread() -> str:
    return str(threading.get_ident())


GO = threading.Event()


def wait() -> str:
    GO.wait()
    return "done"


HANGS = """
import asyncio
from anabranch.workers.checks.local import LocalChecks

async def main():
    asyncio.create_task(LocalChecks({"sleep": "time:sleep"}).run_tool("sleep", {}))
    await asyncio.sleep(0.1)

LocalChecks.run_tool.__globals__["tools"].call = lambda *_: __import__("time").sleep(1000)
asyncio.run(main())
"""


def test_a_tool_that_hangs_keeps_no_process_from_ending() -> None:
    assert subprocess.run([sys.executable, "-c", HANGS], check=False, timeout=60).returncode == 0
