"""Runs checks and tools in threads of this process, never on an organizer's event loop.

What can be made endless is decided in processes that are killed at their limit (`verifiers.py`). A tool is the
operator's own code: one that hangs holds its branch, and no thread here keeps the process from ending.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from anabranch.dag.actions import Verifier
from anabranch.dag.ids import BranchId
from anabranch.workers.checks import tools, verifiers
from anabranch.workers.checks.protocol import Groups

T = TypeVar("T")


class LocalChecks:
    """See `Checks`."""

    def __init__(self, registered: tools.Tools) -> None:
        self._registered = registered

    async def compare(self, answers: tuple[str, ...]) -> Groups:
        return await _in_a_thread(partial(verifiers.partition, answers))

    async def verify(
        self, verifier: Verifier, values: Mapping[BranchId, str]
    ) -> tuple[Mapping[BranchId, float], Mapping[BranchId, str]]:
        return await _in_a_thread(partial(verifiers.verify, verifier, values))

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        return await _in_a_thread(partial(tools.call, self._registered, tool, arguments))

    async def close(self) -> None:
        """Nothing to close: whoever waited has gone, and the threads go with the process."""


async def _in_a_thread(work: Callable[[], T]) -> T:
    """What the work returns or raises. Its thread is a daemon; those of asyncio's own pool are waited for at exit."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(outcome: Callable[[], None]) -> None:
        if not done.done():
            outcome()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is told to whoever waits
            outcome: Callable[[], None] = partial(done.set_exception, error)
        else:
            outcome = partial(done.set_result, result)
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, outcome)

    threading.Thread(target=run, name="check", daemon=True).start()
    return await done
