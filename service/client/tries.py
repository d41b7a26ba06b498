"""Rules when the service is asked again, and how long to pause before: the one place that knows."""

import random
from collections.abc import Callable

from anabranch.service.client.errors import ClientError, ServiceAway, ServiceRefused

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
WORTH_ANOTHER = {429, 503}
"""Refused, with nothing written, for what passes."""


class Tries:
    """Counts the tries of one thing. They end `seconds` after the last sign of life; a service that asks for a longer
    pause than what is left of them (a quota that comes back tomorrow) has its refusal told at once."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds, self._clock = seconds, clock
        self.note_life()

    def note_life(self) -> None:
        """The service answered: what comes now is a new trouble."""
        self._deadline = self._clock() + self._seconds
        self._failed = 0

    def pause(self, error: ClientError, *, repeatable: bool = True) -> float:
        """Seconds until the next try. Raises the error where another try would not help, might do the thing twice, or
        would come too late."""
        match error:
            case ServiceRefused(status=status) if status in WORTH_ANOTHER:
                asked = error.retry_after or 0.0
            case ServiceRefused(status=status) if status >= 500 and repeatable and not error.problem.document:
                asked = (
                    error.retry_after or 0.0
                )  # not the service's own words: it is stopping, or a proxy speaks
            case ServiceAway() if repeatable or not error.arrived:
                asked = 0.0
            case _:
                raise error
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failed, 10))
        pause = asked + random.uniform(longest / 2, longest)  # noqa: S311 - so that clients do not come back as one
        if self._clock() + pause > self._deadline:
            raise error
        self._failed += 1
        return pause
