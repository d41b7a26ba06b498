"""Adds up what organizers tell of their pools."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from anabranch.workers.pool.protocol import PoolLoad


def add_up(told: Iterable[tuple[int | None, PoolLoad]]) -> PoolLoad | None:
    """The load of all pools, from what each organizer tells, with its generation; None when none tells anything.

    Each organizer counts its own decodes, and knows all replicas of its cluster; each cluster has replicas of its own.
    A generation may be several clusters. Those of an earlier release tell no cluster: there it is one.
    """
    clusters: dict[tuple[int | None, str], list[PoolLoad]] = defaultdict(list)
    for generation, load in told:
        clusters[generation, load.cluster].append(load)
    if not clusters:
        return None
    each = [_of_one(loads) for loads in clusters.values()]
    return replace(_sum(each), pools={name: _sum(pools) for name, pools in _by_pool(each).items()})


def _of_one(loads: Iterable[PoolLoad]) -> PoolLoad:
    told = tuple(loads)
    return PoolLoad(
        replicas=max(load.replicas for load in told),
        decoding=sum(load.decoding for load in told),
        capacity=max(load.capacity for load in told),
        waiting=sum(load.waiting for load in told),
        state=_first(load.state for load in told),
        pools={name: _of_one(pools) for name, pools in _by_pool(told).items()},
    )


def _sum(loads: Sequence[PoolLoad]) -> PoolLoad:
    return PoolLoad(
        replicas=sum(load.replicas for load in loads),
        decoding=sum(load.decoding for load in loads),
        capacity=sum(load.capacity for load in loads),
        waiting=sum(load.waiting for load in loads),
        state=_first(load.state for load in loads),
    )


def _first(words: Iterable[str]) -> str:
    """Of those who have something to say, whoever comes first."""
    return next(filter(None, words), "")


def _by_pool(loads: Iterable[PoolLoad]) -> Mapping[str, list[PoolLoad]]:
    named: dict[str, list[PoolLoad]] = defaultdict(list)
    for load in loads:
        for name, pool in load.pools.items():
            named[name].append(pool)
    return named
