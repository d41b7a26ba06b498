"""Defines the checks that run beside the engines, as CPU tasks: which answers mean the same, what a verifier makes of
a value.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from anabranch.dag.actions import Verifier
from anabranch.dag.ids import BranchId

Groups = tuple[tuple[int, ...], ...]
"""A partition of indices: those of one group mean the same."""


class Checks(Protocol):
    """Runs checks and tools elsewhere than on the caller's event loop. Each call is bounded in time by the runner."""

    async def compare(self, answers: tuple[str, ...]) -> Groups: ...

    async def verify(
        self, verifier: Verifier, values: Mapping[BranchId, str]
    ) -> tuple[Mapping[BranchId, float], Mapping[BranchId, str]]:
        """Scores, and for each branch a word on why."""
        ...

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """Raises DecodeError with a Fault when there is no such tool, or when it raised."""
        ...

    async def close(self) -> None: ...
