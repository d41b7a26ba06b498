"""Counts how often a tenant calls, and how many streams it has open: in this process where it is the only one that
answers, and in the store (`shared_limits.py`) where there are several.

Requests are counted in a window that moves: at no moment were there more in the minute before.
"""

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from anabranch.service.tenants.callers import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Where a tenant stands with this request."""

    limit: int
    left: int
    reset_seconds: int
    """Until the oldest request counts no more; of one that is refused, when to come again."""
    refused: bool

    def headers(self) -> Mapping[str, str]:
        """The names that HTTP clients know (the IETF's draft), and those that OpenAI's know."""
        told = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.reset_seconds),
            "X-RateLimit-Limit-Requests": str(self.limit),
            "X-RateLimit-Remaining-Requests": str(self.left),
            "X-RateLimit-Reset-Requests": f"{self.reset_seconds}s",
        }
        return told | {"Retry-After": str(self.reset_seconds)} if self.refused else told


class TenantLimits(Protocol):
    """The requests and streams of tenants. For one without a limit nothing is done."""

    async def count(self, caller: Caller) -> Counted | None:
        """Counts a request, unless the tenant has made as many as it may. None: it may make any number. Raises
        StoreAway."""
        ...

    async def open_stream(self, caller: Caller) -> str | None:
        """Counts a stream until `close_stream`, and gives its name; None where the tenant has as many open as it may.
        Raises StoreAway."""
        ...

    def close_stream(self, stream: str) -> None:
        """Counts this stream no more. Returns at once."""
        ...


class OwnLimits:
    """The requests and streams of all tenants, as far as this process answers them."""

    def __init__(self) -> None:
        self._requests = MovingWindowRateLimiter(MemoryStorage())
        self._streams: Counter[str] = Counter()

    async def count(self, caller: Caller) -> Counted | None:
        if caller.requests_per_minute is None:
            return None
        limit = RateLimitItemPerMinute(caller.requests_per_minute)
        passed = self._requests.hit(limit, caller.tenant)
        window = self._requests.get_window_stats(limit, caller.tenant)
        return Counted(
            limit=caller.requests_per_minute,
            left=window.remaining if passed else 0,
            reset_seconds=max(1, math.ceil(window.reset_time - time.time())),
            refused=not passed,
        )

    async def open_stream(self, caller: Caller) -> str | None:
        if caller.streams is not None and self._streams[caller.tenant] >= caller.streams:
            return None
        self._streams[caller.tenant] += 1
        return caller.tenant

    def close_stream(self, stream: str) -> None:
        self._streams[stream] -= 1
        if not self._streams[stream]:
            del self._streams[stream]
