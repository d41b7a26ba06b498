"""Runs checks and tools as Ray tasks: on any CPU of the cluster, never on an organizer's event loop."""

from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from anabranch.dag.actions import Verifier
from anabranch.dag.decoding import Fault
from anabranch.dag.ids import BranchId
from anabranch.dag.vocabulary import Cause
from anabranch.workers.checks import tools, verifiers
from anabranch.workers.checks.protocol import Groups
from anabranch.workers.errors import DecodeError


@ray.remote(num_cpus=0)
def _partition(answers: tuple[str, ...]) -> Groups:
    groups: Groups = verifiers.partition(answers)
    return groups


@ray.remote(num_cpus=0)
def _verify(verifier: Verifier, values: Mapping[BranchId, str]) -> Any:
    return verifiers.verify(verifier, values)


@ray.remote(num_cpus=0)
def _call(registered: tools.Tools, tool: str, arguments: Mapping[str, Any]) -> str:
    return tools.call(registered, tool, arguments)


class RayChecks:
    """See `Checks`. A task whose worker dies is run again by Ray: checks have no effects."""

    def __init__(self, registered: tools.Tools) -> None:
        self._registered = registered

    async def compare(self, answers: tuple[str, ...]) -> Groups:
        groups: Groups = await _partition.remote(answers)
        return groups

    async def verify(
        self, verifier: Verifier, values: Mapping[BranchId, str]
    ) -> tuple[Mapping[BranchId, float], Mapping[BranchId, str]]:
        scores, details = await _verify.remote(verifier, values)
        return scores, details

    async def run_tool(self, tool: str, arguments: Mapping[str, Any]) -> str:
        try:
            result: str = await _call.options(max_retries=0).remote(self._registered, tool, arguments)
        except RayTaskError as error:
            if isinstance(error.cause, DecodeError):
                raise error.cause from error
            raise DecodeError(Fault(cause=Cause.TOOL_ERROR, detail=str(error.cause))) from error
        except (
            RayError
        ) as error:  # its worker died: the tool may have had effects, so its branch says when to retry
            raise DecodeError(Fault(cause=Cause.REPLICA_DIED, detail=f"{tool}: {error}")) from error
        return result

    async def close(self) -> None:
        """Nothing to close: tasks end by themselves."""
