"""Checks that hostile text makes endless: killed at their limit, and the next one is decided all the same."""

import os
import signal
import threading
from pathlib import Path

import pytest

from anabranch.workers.checks import bounded
from anabranch.workers.checks.bounded import Stopped, decide
from anabranch.workers.checks.bounded_program import MEMORY

TOWER = "9^{9^{9^{9^{9}}}}"


def test_algebra_in_both_directions() -> None:
    assert decide("equal", 5, left=r"\sqrt{8}", right=r"2\sqrt{2}") == (True, "")
    assert decide("equal", 5, left=r"2\sqrt{2}", right=r"\sqrt{8}") == (True, "")
    assert decide("equal", 5, left="x", right="y") == (False, "")


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        ("equal", {"left": TOWER, "right": "1"}),
        ("pattern", {"pattern": "^(a+)+$", "value": "a" * 40 + "b"}),
        ("schema", {"schema": {"pattern": "^(a+)+$"}, "instance": "a" * 40 + "b"}),
    ],
)
def test_what_takes_too_long_is_killed_and_the_next_check_is_decided(
    check: str, arguments: dict[str, str]
) -> None:
    with pytest.raises(Stopped):
        decide(check, 1, **arguments)
    assert decide("pattern", 5, pattern="b", value="abc") == (True, "")


def test_its_memory_is_limited() -> None:
    decide("pattern", 5, pattern="b", value="abc")
    process = bounded._HELPER._process
    assert process is not None
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    assert f"Max address space         {MEMORY}" in limits


def test_a_process_that_was_killed_from_outside_is_replaced() -> None:
    decide("pattern", 5, pattern="b", value="abc")
    process = bounded._HELPER._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert decide("pattern", 5, pattern="b", value="abc") == (True, "")


def test_what_cannot_be_used_is_told() -> None:
    with pytest.raises(ValueError, match="missing \\)"):
        decide("pattern", 5, pattern="(", value="")


def test_long_values_and_other_scripts_go_through() -> None:
    assert decide("pattern", 5, pattern="\u0662$", value="\u0662" * 300_000) == (True, "")


def test_threads_take_turns() -> None:
    found: list[bool] = []

    def ask(number: int) -> None:
        found.append(decide("pattern", 5, pattern=f"^{number}$", value=str(number))[0])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 8
