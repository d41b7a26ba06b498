"""Tells the pool of one process which replicas Serve's request router knows.

Kept apart from the router, because Serve copies the router's module by value into each process, variables and all.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping

Subscriber = Callable[[Mapping[str, int], frozenset[str]], None]
"""Told of each change: the places (decodes at once) of every replica, by its id, and which have just died. May come
from another thread."""

_subscribers: dict[str, set[Subscriber]] = defaultdict(set)


def subscribe(pool: str, subscriber: Subscriber) -> None:
    """Hear of the replicas of this pool from now on. To be called before the pool's first handle."""
    _subscribers[pool].add(subscriber)


def unsubscribe(pool: str, subscriber: Subscriber) -> None:
    _subscribers[pool].discard(subscriber)


def publish(pool: str, places: Mapping[str, int], died: frozenset[str] = frozenset()) -> None:
    """These are the pool's replicas from now on."""
    for subscriber in tuple(_subscribers[pool]):
        subscriber(places, died)
