"""Adds up what organizers tell of their pools."""

from collections import defaultdict
from collections.abc import Iterable

from anabranch.workers.pool.protocol import PoolLoad


def add_up(told: Iterable[tuple[int | None, PoolLoad]]) -> PoolLoad | None:
    """The load of all pools, from what each organizer tells, with its generation; None when none tells anything.

    Each organizer counts its own decodes, and knows all replicas of its generation; generations have replicas of their
    own.
    """
    generations: dict[int | None, list[PoolLoad]] = defaultdict(list)
    for generation, load in told:
        generations[generation].append(load)
    if not generations:
        return None
    each = [_of_one(loads) for loads in generations.values()]
    return PoolLoad(
        replicas=sum(load.replicas for load in each),
        decoding=sum(load.decoding for load in each),
        capacity=sum(load.capacity for load in each),
    )


def _of_one(loads: Iterable[PoolLoad]) -> PoolLoad:
    told = tuple(loads)
    return PoolLoad(
        replicas=max(load.replicas for load in told),
        decoding=sum(load.decoding for load in told),
        capacity=max(load.capacity for load in told),
    )
