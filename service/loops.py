"""Runs event loops: on uvloop, whose transports and wake-ups are compiled."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

SWITCH_SECONDS = 0.0005
"""For which a thread may keep the interpreter while another waits. A reply goes through several threads, and with
Python's default, ten times as long, it waits for each."""

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end on an event loop of its own, in this thread."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def switch_quickly() -> None:
    """Lets the threads of this process take turns more often."""
    sys.setswitchinterval(SWITCH_SECONDS)
