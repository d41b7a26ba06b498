"""Remembers which jobs an organizer leaves to others: during an upgrade, organizers of two releases share the queue.

A journal that a newer release wrote may hold what this one does not know: whatever it did now would be a guess, so it
does nothing. A job that it cannot go on with because it lacks the policy, or decides otherwise, it ends only if no
organizer of another release lives: to that one the job may be as usual.

A job that is left goes back into the queue as it is, and costs no attempt.
"""

import logging
import time
from collections.abc import Callable

from anabranch.dag.ids import JobId
from anabranch.dag.vocabulary import Failure
from anabranch.service.organizer.job.resume import CannotGoOn
from anabranch.service.store.errors import UnreadableFormat
from anabranch.service.store.programs import Programs, Role, this_program

AGAIN_SECONDS = 10.0
"""After which a job that was left is looked at again: the others may be gone."""
OTHERS_MAY = frozenset({Failure.POLICY_MISSING, Failure.POLICY_CHANGED})
"""What another release may see differently."""
logger = logging.getLogger(__name__)


class LeftToOthers(Exception):
    """This release cannot go on with the job; another that is at work may."""


LEFT = (UnreadableFormat, LeftToOthers)


class LeftJobs:
    """The jobs that one organizer leaves, each for a while."""

    def __init__(self, programs: Programs, now: Callable[[], float] = time.monotonic) -> None:
        self._programs = programs
        self._now = now
        self._until: dict[JobId, float] = {}

    def add(self, job: JobId, why: Exception) -> None:
        """This organizer claims the job no more for a while."""
        self._until[job] = self._now() + AGAIN_SECONDS
        logger.warning("job %s is left to another release: %s", job, why)

    def current(self) -> frozenset[JobId]:
        """Those that it does not claim now."""
        self._until = {job: until for job, until in self._until.items() if until > self._now()}
        return frozenset(self._until)

    async def leave_to_others(self, refusal: CannotGoOn) -> None:
        """Raises LeftToOthers where an organizer of another release may go on with what this one refuses; StoreAway."""
        if refusal.failed.type not in OTHERS_MAY:
            return
        me = this_program(Role.ORGANIZER)
        for other in await self._programs.list():
            if other.role == Role.ORGANIZER and (other.release, other.revision) != (me.release, me.revision):
                raise LeftToOthers(f"{refusal} It is left to {other.in_words()}.") from refusal
