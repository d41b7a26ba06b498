"""Where Serve's request router and the pool of one process meet: the router tells here which replicas there are.

Kept apart from the router, because Serve copies the router's module by value into each process, variables and all.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping

Watcher = Callable[[Mapping[str, int]], None]
"""Told of each change: the places (decodes at once) of every replica, by its id. May come from another thread."""

_watchers: dict[str, set[Watcher]] = defaultdict(set)


def watch(pool: str, watcher: Watcher) -> None:
    """Hear of the replicas of this pool from now on. To be called before the pool's first handle."""
    _watchers[pool].add(watcher)


def unwatch(pool: str, watcher: Watcher) -> None:
    _watchers[pool].discard(watcher)


def tell(pool: str, places: Mapping[str, int]) -> None:
    """These are the pool's replicas from now on."""
    for watcher in tuple(_watchers[pool]):
        watcher(places)
