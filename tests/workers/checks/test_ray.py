"""Checks and tools as Ray tasks."""

import pytest

from anabranch.dag.actions import Verifier
from anabranch.dag.ids import BranchId
from anabranch.workers.errors import DecodeError

pytestmark = pytest.mark.ray


async def test_answers_are_compared_values_verified_and_tools_called_in_other_processes(
    cluster: None,
) -> None:
    from anabranch.workers.checks.ray import RayChecks

    checks = RayChecks({"upper": "string:capwords", "pid": "os:getpid"})
    assert await checks.compare((r"x+1", r"1+x", r"2")) == ((0, 1), (2,))
    scores, _ = await checks.verify(
        Verifier(kind="math", spec={"answer": "1/2"}), {BranchId("0.1"): r"\boxed{0.5}", BranchId("0.2"): "3"}
    )
    assert scores == {"0.1": 1.0, "0.2": 0.0}
    assert await checks.run_tool("upper", {"s": "two words"}) == "Two Words"
    with pytest.raises(DecodeError, match="unknown-tool"):
        await checks.run_tool("rm", {})
    await checks.close()


async def test_code_that_a_model_wrote_is_locked_up_in_a_task_too(cluster: None) -> None:
    from anabranch.workers.checks.ray import RayChecks

    checks = RayChecks({})
    tests = ["assert add(2, 3) == 5", "assert add('a', 'b') == 'ab'"]
    wants_out = "import socket\nsocket.create_connection(('127.0.0.1', 80))\ndef add(a, b): return a + b"
    values = {
        BranchId("0.1"): "def add(a, b): return a + b",
        BranchId("0.2"): "def add(a, b): return int(a) + int(b)",
        BranchId("0.3"): wants_out,
        BranchId("0.4"): "while True: pass",
    }
    verifier = Verifier(kind="python-tests", spec={"tests": tests, "seconds": 1})
    scores, details = await checks.verify(verifier, values)
    assert scores == {"0.1": 1.0, "0.2": 0.5, "0.3": 0.0, "0.4": 0.0}
    assert "PermissionError" in details[BranchId("0.3")]
    assert "the processor time was used up" in details[BranchId("0.4")]
    await checks.close()
