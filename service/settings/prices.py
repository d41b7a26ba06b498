"""Tells what tokens cost, by the names under which jobs may ask for models."""

from collections.abc import Mapping, Sequence

from anabranch.dag.limits import OTHERS, Limits
from anabranch.dag.limits import Price as TokenPrice
from anabranch.service.settings.pools import Price
from anabranch.workers.pool.naming import ModelNames
from anabranch.workers.settings import PoolSettings

MILLION = 1e6


class PriceList:
    """The operator's prices: of single models first, then of pools, then of all others."""

    def __init__(
        self,
        prices: Mapping[str, Price],
        of_pools: Mapping[str, Price],
        pools: Sequence[PoolSettings],
        names: ModelNames,
    ) -> None:
        self._prices = prices
        self._of_pools = of_pools
        self._models = {pool.name: pool.engine.model for pool in pools}
        self._names = names

    def limits(self, model: str | None, width: int) -> Limits:
        """What holds for a job of this model: its own prices and, where others differ, those of every name that one of
        its branches may ask."""
        own = self._price_of(model)
        prices = {name: self._price_of(name) for name in (*self._names.known, *self._prices, OTHERS)}
        return Limits(
            width=width,
            prompt_price=own.prompt,
            completion_price=own.completion,
            prices={} if set(prices.values()) == {own} else prices,
            final_thoughts=True,
        )

    def _price_of(self, name: str | None) -> TokenPrice:
        # `OTHERS` is a name that nobody has: a pool that takes any would serve it.
        said = None if name in {None, OTHERS} else self._prices.get(str(name))
        serving = self._names.find(name)
        if said is None and serving is not None:
            of_model = self._prices.get(self._models[serving.pool] or "") if serving.model is None else None
            said = of_model or self._of_pools.get(serving.pool)
        said = said or self._prices.get(OTHERS) or Price()
        return TokenPrice(prompt=said.prompt / MILLION, completion=said.completion / MILLION)
