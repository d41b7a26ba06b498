"""Delivers webhooks: at least once, signed, tried again with growing pauses, whoever dies.

Each REST process has a deliverer; the store's leases see to it that a delivery is sent by one at a time. Any answer of
2xx is a success; redirects are not followed. One that does not answer holds up none but itself.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import SystemRandom

from anabranch.service.store.errors import StoreAway
from anabranch.service.store.webhooks.deliveries import MOST_OF_ONE, Taken
from anabranch.service.store.webhooks.webhooks import Webhooks
from anabranch.service.webhooks.sender import ATTEMPT_SECONDS, Sender
from anabranch.service.webhooks.targets import Networks, origin_of

HOUR = 3600.0
PAUSES = (5.0, 300.0, 1800.0, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds between attempts: the specification's own schedule, a little more than three days."""
JITTER = 0.2
"""Of each pause, more or less: what failed together is not tried again together."""
DEAD_AFTER = timedelta(days=5)
AT_ONCE = 32
LEASE_SECONDS = 45.0
POLL_SECONDS = 1.0
_CHANCE = SystemRandom()
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take."""

    pauses: Sequence[float] = PAUSES
    dead_after: timedelta = DEAD_AFTER
    attempt_seconds: float = ATTEMPT_SECONDS
    lease_seconds: float = LEASE_SECONDS
    poll_seconds: float = POLL_SECONDS


class Deliverer:
    """Sends what is due."""

    def __init__(
        self,
        webhooks: Webhooks,
        allowed: Networks = (),
        patience: Patience = Patience(),
        draw: Callable[[], float] = _CHANCE.random,
    ) -> None:
        """`allowed` are the private networks to which webhooks may be sent; `draw` gives a number from 0 to 1."""
        self._webhooks = webhooks
        self._sender = Sender(allowed, patience.attempt_seconds)
        self._patience = patience
        self._draw = draw
        self._sending: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        """Until it is cancelled; what was being sent then is due again when its lease ends."""
        try:
            while True:
                try:
                    await self._take()
                except StoreAway as error:
                    logger.warning("webhooks wait: %s", error)
                await self._wait()
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)

    async def _wait(self) -> None:
        """Until there is room for more, or it is time to look again."""
        poll = self._patience.poll_seconds
        if self._sending:
            await asyncio.wait(self._sending, timeout=poll, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(poll)

    async def _take(self) -> None:
        counted = Counter(self._sending.values())
        busy = [endpoint for endpoint, count in counted.items() if count >= MOST_OF_ONE]
        room = AT_ONCE - len(self._sending)
        if room == 0:
            return
        for taken in await self._webhooks.take(room, self._patience.lease_seconds, busy):
            task = asyncio.create_task(self._deliver(taken), name=f"webhook {taken.id}")
            self._sending[task] = taken.endpoint
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error(
                "what came of a webhook was not stored; it is sent again when its lease ends", exc_info=error
            )

    async def _deliver(self, taken: Taken) -> None:
        attempt, asked = await self._sender.attempt(taken)
        pause = self._pause(taken.attempt, asked)
        if not attempt.succeeded:
            where = origin_of(taken.url)
            logger.info("webhook %s to %s failed: %s", taken.message, where, attempt.error)
        try:
            await self._webhooks.record(taken, attempt, pause, self._patience.dead_after)
        except StoreAway as error:
            logger.warning("webhook %s is sent again: %s", taken.message, error)

    def _pause(self, attempt: int, asked: float) -> float | None:
        """Until the next attempt; None after the last."""
        if attempt > len(self._patience.pauses):
            return None
        pause = self._patience.pauses[attempt - 1]
        return max(pause * (1 - JITTER + 2 * JITTER * self._draw()), asked)
