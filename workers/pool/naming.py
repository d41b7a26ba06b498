"""Finds the pool that serves a model, by the names under which jobs may ask.

A job names a pool, the model that a pool serves, or one of a pool's adapters; nothing is the default pool. Of two pools
that serve the same model the first declared has its name, so the other is asked by the pool's. One pool may take names
that none has: those that its upstream lists.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from anabranch.dag.limits import OTHERS
from anabranch.workers.engines.factory import EngineSettings
from anabranch.workers.settings import DEFAULT_POOL, PoolSettings


@dataclass(frozen=True, slots=True)
class Serving:
    """Who serves a model."""

    pool: str
    model: str | None
    """As the pool's engine is asked for it; None: its own model."""


class ModelNames:
    """The names of all models of a service."""

    def __init__(self, pools: Sequence[PoolSettings], default: str) -> None:
        """`default` is one of the pools. Raises ValueError where one name means two things."""
        self.default = default
        self.open_pool = _find_open(pools)
        """The pool that takes names that none has."""
        self._pools = {pool.name for pool in pools}
        self._known: dict[str, Serving] = {}
        for pool in pools:
            self._enter(pool.name, pool.engine)

    @property
    def listed(self) -> tuple[str, ...]:
        """All names, pool by pool; that of a pool which nobody declared is not told."""
        undeclared = self._pools == {DEFAULT_POOL}
        return tuple(name for name in self._known if not (undeclared and name == DEFAULT_POOL))

    @property
    def known(self) -> tuple[str, ...]:
        """All names that can be asked for, whatever an upstream lists besides."""
        return tuple(self._known)

    def find(self, model: str | None) -> Serving | None:
        """Who serves this model; None for a name that no pool has."""
        if model is None:
            return Serving(self.default, None)
        found = self._known.get(model)
        return Serving(self.open_pool, model) if found is None and self.open_pool is not None else found

    def _enter(self, pool: str, engine: EngineSettings) -> None:
        self._known[pool] = Serving(pool, None)
        if engine.model is not None:
            self._name(pool, engine.model, None)
        for adapter in engine.adapters:
            if adapter in (pool, engine.model):
                raise ValueError(
                    f"pool {pool}: an adapter is called {adapter!r}, as its pool or its model is"
                )
            self._name(pool, adapter, adapter)

    def _name(self, pool: str, name: str, asked_as: str | None) -> None:
        if not name.strip() or name == OTHERS:
            raise ValueError(f"pool {pool}: {name!r} is no name of a model that a job could ask for")
        if name in self._pools - {pool}:
            raise ValueError(
                f"pool {pool} serves a model called {name!r}, as another pool is: rename that pool"
            )
        self._known.setdefault(name, Serving(pool, asked_as))


def _find_open(pools: Sequence[PoolSettings]) -> str | None:
    open_pools = [pool.name for pool in pools if pool.takes_any]
    if len(open_pools) > 1:
        raise ValueError(
            f"{' and '.join(open_pools)} would both take any model that their upstreams list: "
            "say the model of all but one"
        )
    return next(iter(open_pools), None)
