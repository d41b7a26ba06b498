"""Runs the timers of one job, and cancels all of them at once."""

import asyncio
from collections.abc import Callable


class Timers:
    """Calls that are due later on this event loop."""

    def __init__(self) -> None:
        self._pending: set[asyncio.TimerHandle] = set()

    def __len__(self) -> int:
        return len(self._pending)

    def set(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        def due() -> None:
            self._pending.discard(timer)
            call()

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._pending.add(timer)
        return timer

    def cancel(self, timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        self._pending.discard(timer)

    def cancel_all(self) -> None:
        for timer in tuple(self._pending):
            self.cancel(timer)

    def next_in(self) -> float | None:
        """Seconds until the first of them; None when there is none."""
        now = asyncio.get_running_loop().time()
        return min((max(0.0, timer.when() - now) for timer in self._pending), default=None)
