"""Runs checks and tools in threads of this process, never on an organizer's event loop.

What can be made endless is decided in processes that are killed at their limit (`verifiers.py`). A tool is the
operator's own code: one that hangs holds its branch, and no thread here keeps the process from ending.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from anabranch.dag.actions import Verifier
from anabranch.dag.ids import BranchId
from anabranch.workers.checks import tools, verifiers
from anabranch.workers.checks.protocol import Groups
from anabranch.workers.daemon_threads import run_in_daemon


class LocalChecks:
    """See `Checks`."""

    def __init__(self, registered: tools.Tools) -> None:
        self._registered = registered

    async def compare(self, answers: tuple[str, ...]) -> Groups:
        return await run_in_daemon("check", partial(verifiers.partition, answers))

    async def verify(
        self, verifier: Verifier, values: Mapping[BranchId, str]
    ) -> tuple[Mapping[BranchId, float], Mapping[BranchId, str]]:
        return await run_in_daemon("check", partial(verifiers.verify, verifier, values))

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        return await run_in_daemon("check", partial(tools.call, self._registered, tool, arguments))

    async def close(self) -> None:
        """Nothing to close: whoever waited has gone, and the threads go with the process."""
