"""Lets in as many submissions at once as are made durable in a short time, and lets the others wait, or come again.

A service that takes all that comes answers everybody late: each submission waits for those before it, and jobs that
run wait, too. So no more are let in when those on their way would keep one waiting for longer than WAIT_SECONDS. How
long that is follows from Little's law: submissions under way over the rate at which they are being made durable, which
is measured while there are any. A quicker machine lets in more.

Whoever waits for an answer anyway *stands in line*, first come, first served: a chat that is sent away sleeps for
longer than its turn takes, and finds others in its place when it comes back. It is refused, 429 with `Retry-After`,
where the line is longer than LINE_SECONDS. Whoever only submits is *hurried*, and refused at once. Where both press,
each has half of the room.

A burst is no overload: of the hurried, what can be made durable within BURST_SECONDS is taken, and drained. Only where
submissions have stood waiting for so long, as when clients come faster than jobs can be written, are they refused; and
as long as some are, no further burst is taken. So does CoDel (Nichols and Jacobson, ACM Queue 2012), for packets.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from enum import Enum

from starlette.types import ASGIApp, Receive, Scope, Send

from anabranch.service.api.problems import Refusal

WAIT_SECONDS = 0.1
FEW = 8
"""Submissions under way that are no line, however slow the store is: where each takes half a second, it is not they who
make it slow."""
BURST_SECONDS = 1.0
LINE_SECONDS = 5.0
"""For how long one may stand in line. OpenAI's client asks twice more, and gives up within three seconds."""
CALM_SECONDS = 5.0
"""Without a refusal, after which a burst is taken again."""
MEMORY_SECONDS = 2.0
"""Of work, after which a measured rate counts half."""
AWAY_SECONDS = 3
"""Clients that are refused come back one after the other, within so many seconds."""


class Kind(Enum):
    """Of submissions."""

    HURRIED = "hurried"
    """Is told at once."""
    PATIENT = "patient"
    """Waits for an answer anyway."""


KINDS = {"/v1/jobs": Kind.HURRIED, "/v1/chat/completions": Kind.PATIENT, "/v1/responses": Kind.PATIENT}
"""By the path to which jobs are posted."""


class Intake:
    """The submissions that are under way in this process, and those that stand in line."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` tells seconds."""
        self._clock = clock
        self._under_way = dict.fromkeys(Kind, 0)
        self._line: deque[asyncio.Future[None]] = deque()
        self._at = clock()
        self._busy = 0.0
        """Seconds in which submissions were under way, and how many were made durable in them; both fade."""
        self._done = 0.0
        self._standing_since: float | None = None
        """Since when one submission waits for another for too long."""
        self._refused_at = -math.inf
        self._refused = 0

    @property
    def under_way(self) -> int:
        return sum(self._under_way.values())

    def enter(self) -> int | None:
        """Lets a hurried submission in, which must `leave`; or tells after how many seconds to come again."""
        now = self._pass_time()
        if self._has_room(Kind.HURRIED):
            self._standing_since = None
        else:
            self._standing_since = now if self._standing_since is None else self._standing_since
            wait = self._seconds_for(self.under_way)
            too_long = now - self._standing_since >= BURST_SECONDS or wait > BURST_SECONDS
            if too_long or now - self._refused_at < CALM_SECONDS:
                self._refused_at = now
                return self._away()
        self._under_way[Kind.HURRIED] += 1
        return None

    async def stand_in_line(self) -> int | None:
        """Lets a patient submission in when its turn has come; it must `leave`. Or tells after how many seconds to come
        again."""
        self._pass_time()
        if not self._line and self._has_room(Kind.PATIENT):
            self._under_way[Kind.PATIENT] += 1
            return None
        if self._seconds_for(len(self._line)) > LINE_SECONDS:
            return self._away()
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await asyncio.wait((turn,), timeout=LINE_SECONDS)
        except asyncio.CancelledError:
            if turn.done():
                self.leave(Kind.PATIENT)
            else:
                self._line.remove(turn)
            raise
        if turn.done():
            return None
        self._line.remove(turn)
        return self._away()

    def leave(self, kind: Kind) -> None:
        """A submission is durable, or refused for another reason: whose turn it is comes in."""
        self._pass_time()
        self._under_way[kind] -= 1
        self._done += 1
        while self._line and self._has_room(Kind.PATIENT):
            self._under_way[Kind.PATIENT] += 1
            self._line.popleft().set_result(None)

    def _has_room(self, kind: Kind) -> bool:
        """Whether one more keeps nobody waiting for too long, or its kind has less than half of the room."""
        own = 2 * self._under_way[kind]
        least = min(self.under_way, own)
        return least < FEW or self._seconds_for(least) <= WAIT_SECONDS

    def _seconds_for(self, submissions: int) -> float:
        """Until so many are durable. Nobody knows before the first was."""
        return submissions * self._busy / self._done if self._done else 0.0

    def _away(self) -> int:
        self._refused += 1
        return 1 + self._refused % AWAY_SECONDS

    def _pass_time(self) -> float:
        now = self._clock()
        if self.under_way:
            passed = now - self._at
            fades = 0.5 ** (passed / MEMORY_SECONDS)
            self._busy, self._done = self._busy * fades + passed, self._done * fades
        self._at = now
        return now


class _Ticket:
    """One submission's place; given back once, whoever does it."""

    def __init__(self, intake: Intake, kind: Kind) -> None:
        self._intake: Intake | None = intake
        self._kind = kind

    def give_back(self) -> None:
        if self._intake is not None:
            self._intake.leave(self._kind)
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
        kind = KINDS.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if kind is None:
            await self._app(scope, receive, send)
            return
        if self._intake is None:
            self._intake = Intake(asyncio.get_running_loop().time)
        hurried = kind is Kind.HURRIED
        seconds = self._intake.enter() if hurried else await self._intake.stand_in_line()
        if seconds is not None:
            await _refusal(seconds).response(scope["path"])(scope, receive, send)
            return
        ticket = _Ticket(self._intake, kind)
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
