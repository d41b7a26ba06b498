"""Says of a service that this process has started, whatever its shape, whether it is ready, and still runs."""

import time
from collections.abc import Callable
from typing import Protocol

REST_SECONDS = 0.05

Report = Callable[[str], None]
"""Is told in words what is being waited for."""


class NotReady(Exception):
    """The service cannot answer jobs. The message says what is missing."""


class RunningService(Protocol):
    """A service in this process and its children."""

    @property
    def url(self) -> str: ...

    def wait_until_ready(self, report: Report, *, seconds: float = 600.0) -> None:
        """Until a job can be answered. Raises NotReady when it cannot be in time."""
        ...

    def why_ended(self) -> str | None:
        """What ended it, where something did that nobody asked for; None while it runs."""
        ...


def wait_for_rest(ready: Callable[[], bool], seconds: float) -> None:
    """Until REST has heard of a replica, too: a moment after whoever started it. Raises NotReady."""
    give_up = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > give_up:
            raise NotReady("a replica decodes, but no organizer that REST can reach has heard of it")
        time.sleep(REST_SECONDS)
