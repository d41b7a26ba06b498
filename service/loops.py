"""Runs event loops: on uvloop, whose transports and wake-ups are compiled."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

SWITCH_SECONDS = 0.0005
"""For which a thread may keep the interpreter while another waits. A reply goes through several threads, and with
Python's default, ten times as long, it waits for each."""

YOUNG_OBJECTS = 10_000
"""After so many new ones Python looks for garbage among them. A wide job's commit makes thousands, nearly all of which
go when nothing names them any more; Python's default is 700."""

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end on an event loop of its own, in this thread."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def spare_what_is_loaded() -> None:
    """Leaves out of garbage collections what this process has loaded by now: modules, routes, validators and statements
    stay as long as it does, and each full collection, which holds all threads, would walk through them again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])


def switch_quickly() -> None:
    """Lets the threads of this process take turns more often."""
    sys.setswitchinterval(SWITCH_SECONDS)
