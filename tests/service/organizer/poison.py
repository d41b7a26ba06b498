"""A policy that ruins the process which computes it, and an organizer in a process of its own for it to ruin.

`python poison.py DATABASE NAME` runs one organizer, with its guardian, on a scripted engine, until it is told to end.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from anabranch.dag import actions as a
from anabranch.dag.job import Problem
from anabranch.dag.policy import policy
from anabranch.service.organizer.guardian import Guardian
from anabranch.service.organizer.loop import Organizer
from anabranch.service.organizer.traces import Traces
from anabranch.service.store.store import Store
from anabranch.workers.engines.script import Line
from anabranch.workers.engines.scripted import ScriptedEngine
from anabranch.workers.pool.local import LocalPool

LEASE = 2.0
"""A machine that stands still for a quarter of it makes any step look held."""


def poison(problem: Problem, *, how: str = "kills") -> a.Policy:
    """T is one segment."""
    segment: a.Segment = yield a.Think()
    if how == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "holds":
        object() in range(10**12)  # noqa: B015 - one call of C, for hours: no thread of this process has a turn
    return a.Answer(text=segment.text)


class NoChecks:
    """These jobs ask for none."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def forty_two(request: Any) -> Line:
    return Line(text="word " * 30 + "six times seven is 42")


async def serve(database: str, name: str) -> None:
    guardian = Guardian(database, name, LEASE)
    store = Store(database)
    pool = LocalPool(ScriptedEngine(forty_two, tokens_per_second=20.0))
    checks: Any = NoChecks()
    organizer = Organizer(
        store, pool, checks, Traces(store, "scripted"), name=name, lease_seconds=LEASE, mark=guardian.mark
    )
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, lambda: asyncio.ensure_future(organizer.drain())
    )
    await organizer.run()
    await pool.close()
    await store.close()
    guardian.close()


def enter() -> None:
    """Enters the policy in this process's catalogue; importing this file does not, or every test would find it."""
    policy(title="Poison", paper="none: a test", use_when="Never.")(poison)


if __name__ == "__main__":
    enter()
    asyncio.run(serve(*sys.argv[1:]))
