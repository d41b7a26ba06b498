"""Ends joins whose time is up, so long after they, or an earlier join of the same branches, were requested."""

import asyncio
from collections.abc import Callable

from anabranch.dag import commands as c
from anabranch.dag import events as e
from anabranch.dag.ids import BranchId
from anabranch.service.organizer.job.timers import Timers


class JoinRequests:
    """When joins with a limit were requested, as the journal tells: so a crash does not begin their time anew."""

    def __init__(self) -> None:
        self._requested: dict[tuple[BranchId, int], float] = {}
        """Unix seconds."""

    def note(self, record: e.Record) -> None:
        """Reads the journal."""
        match record.event:
            case e.JoinRequested(branch=branch, join=join, seconds=float()):
                self._requested[branch, join] = record.at.timestamp()
            case _:
                pass

    def time_of(self, branch: BranchId, join: int) -> float | None:
        """None where the journal does not say."""
        return self._requested.get((branch, join))


class JoinTimers:
    """At most one timer for each branch: of its joins only the last is open."""

    def __init__(self, timers: Timers, requests: JoinRequests) -> None:
        self._timers = timers
        self._requests = requests
        self._running: dict[BranchId, asyncio.TimerHandle] = {}

    def note(self, record: e.Record) -> None:
        """Reads in the journal when joins with a limit were requested, and that they are over."""
        self._requests.note(record)
        match record.event:
            case e.BranchesJoined(branch=branch) if branch in self._running:
                self._timers.cancel(self._running.pop(branch))
            case _:
                pass

    def set(self, command: c.Expire, expire: Callable[[], None], now: float) -> None:
        """Calls `expire` when this join's time is up; of a journal that does not say when it began, from now on."""
        requested = self._requests.time_of(command.branch, command.since)
        began = now if requested is None else requested
        left = max(0.0, began + command.seconds - now)
        self._running[command.branch] = self._timers.set(left, expire)
