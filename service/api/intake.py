"""Lets in as many submissions at once as are made durable in a short time, and asks the others to come again.

A service that takes all that comes answers everybody late: each submission waits for those before it, and jobs that
run wait, too. So a submission is refused, 429 with `Retry-After`, when those on their way would keep it waiting
for longer than WAIT_SECONDS. How long that is follows from Little's law: submissions under way over the rate at which
they are being made durable, which is measured while there are any. A quicker machine lets in more.

A burst is no overload: what can be made durable within BURST_SECONDS is taken, and drained. Only where submissions have
stood in line for so long, as when clients come faster than jobs can be written, are they refused; and as long as some
are, no further burst is taken. So does CoDel (Nichols and Jacobson, ACM Queue 2012), for packets.
"""

import asyncio
import math
from collections.abc import Callable
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from anabranch.service.api.problems import Refusal

SUBMISSIONS = frozenset({"/v1/jobs", "/v1/chat/completions", "/v1/responses"})
"""Paths to which jobs are posted."""
WAIT_SECONDS = 0.1
FEW = 8
"""Submissions under way that are no line, however slow the store is: where each takes half a second, it is not they who
make it slow."""
BURST_SECONDS = 1.0
CALM_SECONDS = 5.0
"""Without a refusal, after which a burst is taken again."""
MEMORY_SECONDS = 2.0
"""Of work, after which a measured rate counts half."""
AWAY_SECONDS = 3
"""Clients that are refused come back one after the other, within so many seconds."""


class Intake:
    """The submissions that are under way in this process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` tells seconds."""
        self._clock = clock
        self._under_way = 0
        self._at = clock()
        self._busy = 0.0
        """Seconds in which submissions were under way, and how many were made durable in them; both fade."""
        self._done = 0.0
        self._standing_since: float | None = None
        """Since when one submission waits for another for too long."""
        self._refused_at = -math.inf
        self._refused = 0

    def enter(self) -> int | None:
        """Lets a submission in, which must `leave`; or tells after how many seconds to come again."""
        now = self._pass_time()
        wait = self._expected_wait()
        if self._under_way < FEW or wait <= WAIT_SECONDS:
            self._standing_since = None
        else:
            self._standing_since = now if self._standing_since is None else self._standing_since
            too_long = now - self._standing_since >= BURST_SECONDS or wait > BURST_SECONDS
            if too_long or now - self._refused_at < CALM_SECONDS:
                self._refused_at = now
                self._refused += 1
                return 1 + self._refused % AWAY_SECONDS
        self._under_way += 1
        return None

    def leave(self) -> None:
        """A submission is durable, or refused for another reason."""
        self._pass_time()
        self._under_way -= 1
        self._done += 1

    def _expected_wait(self) -> float:
        """Seconds until those that are under way are done. Nobody knows before the first was."""
        return self._under_way * self._busy / self._done if self._done else 0.0

    def _pass_time(self) -> float:
        now = self._clock()
        if self._under_way:
            passed = now - self._at
            fades = 0.5 ** (passed / MEMORY_SECONDS)
            self._busy, self._done = self._busy * fades + passed, self._done * fades
        self._at = now
        return now


class _Ticket:
    """One submission's place; given back once, whoever does it."""

    def __init__(self, intake: Intake) -> None:
        self._intake: Intake | None = intake

    def give_back(self) -> None:
        if self._intake is not None:
            self._intake.leave()
            self._intake = None


_TICKET: ContextVar[_Ticket | None] = ContextVar("submission", default=None)


def submitted() -> None:
    """What the current request submits is durable: what it waits for now keeps no other submission waiting."""
    if (ticket := _TICKET.get()) is not None:
        ticket.give_back()


class Submissions:
    """ASGI middleware: refuses submissions that would wait for too long, before their bodies are read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._intake: Intake | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in SUBMISSIONS:
            await self._app(scope, receive, send)
            return
        if self._intake is None:
            self._intake = Intake(asyncio.get_running_loop().time)
        seconds = self._intake.enter()
        if seconds is not None:
            await _refusal(seconds).response(scope["path"])(scope, receive, send)
            return
        ticket = _Ticket(self._intake)
        _TICKET.set(ticket)
        try:
            await self._app(scope, receive, send)
        finally:
            ticket.give_back()


def _refusal(seconds: int) -> Refusal:
    return Refusal(
        status=429, name="busy", title="Too many submissions at once", headers={"Retry-After": str(seconds)},
        detail=f"More is being submitted than can be written. Nothing was written; come again in {seconds} s.",
    )  # fmt: skip
