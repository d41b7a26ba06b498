"""Knows whether it is this organizer's turn to take jobs: its generation's, or another's.

`store/jobs/organizers.py` has the rule. Each organizer looks with each heartbeat, so that an upgrade to a new cluster,
and the way back, need nobody who tells it.
"""

import logging
from collections.abc import Callable

from anabranch.service.store.jobs.organizers import Organizers, Presence
from anabranch.workers.pool.protocol import PoolLoad

logger = logging.getLogger(__name__)


class Turn:
    """One organizer's view. Without a generation it is always its turn; with one, not before it has looked."""

    def __init__(self, generation: int | None = None, ready: Callable[[], bool] = lambda: True) -> None:
        """`ready` tells whether a model answers in this organizer's pools."""
        self._generation = generation
        self._ready = ready
        self.aside = generation is not None
        """Another generation has its turn, or it is not known yet whose it is: nothing is claimed here."""

    def presence(self, address: str | None, load: PoolLoad) -> Presence | None:
        """What others are told with each heartbeat; nothing where the link is not open."""
        if address is None:
            return None
        return Presence(address=address, generation=self._generation, ready=self._ready(), load=load)

    async def look(self, organizers: Organizers) -> bool:
        """Reads whose turn it is; whether this organizer's has just come. Raises StoreAway."""
        if self._generation is None:
            return False
        active = await organizers.find_active_generation()
        aside = active not in {None, self._generation}
        if aside and not self.aside:
            logger.warning("generation %s hands over to generation %s", self._generation, active)
        came = self.aside and not aside
        if came:
            logger.warning("generation %s takes jobs", self._generation)
        self.aside = aside
        return came
