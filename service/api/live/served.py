"""Tells which models the pools serve, as clients may name them, and refuses the others before a job is written."""

import asyncio
import time
from collections.abc import Callable, Mapping

import httpx

from anabranch.dag.job import JobSpec
from anabranch.dag.policy import policy_named
from anabranch.service.api.problems import Fault, bad_input
from anabranch.service.settings import Settings
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.openai.upstream import list_models
from anabranch.workers.errors import ModelUnavailable

FRESH_SECONDS = 60.0
"""How long an upstream's list is believed."""
PATIENCE_SECONDS = 5.0
MOST_TOLD = 50
"""Models that a refusal lists."""


class ServedModels:
    """The models of one service: those that its settings name, and what the upstream lists of a pool that takes any; it
    is asked now and then."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._names = settings.model_names()
        engines = {pool.name: pool.engine for pool in settings.pool_settings()}
        engine = engines.get(self._names.open_pool or "")
        self._upstream = engine if isinstance(engine, OpenAISettings) else None
        self._clock = clock
        self._listed: tuple[str, ...] | None = None
        self._asked_at = -FRESH_SECONDS
        self._asking = asyncio.Lock()

    async def names(self) -> tuple[str, ...] | None:
        """None where nobody can tell at present."""
        if self._upstream is None:
            return self._names.listed
        async with self._asking:
            if self._clock() - self._asked_at >= FRESH_SECONDS:
                self._listed = await asyncio.to_thread(_listed, self._upstream)
                self._asked_at = self._clock()
        return None if self._listed is None else tuple(dict.fromkeys((*self._names.listed, *self._listed)))

    async def serves(self, model: str) -> bool:
        """Whether it may be named. True where nobody can tell."""
        if model in self._names.known:
            return True
        names = await self.names()
        return names is None or model in names

    async def check(self, model: str | None, where: str = "model") -> None:
        """Raises Refused for a model that is not served, and says which are; `where` it stands in the body."""
        await self._check({} if model is None else {where: model})

    async def check_spec(self, spec: JobSpec, params_at: str) -> None:
        """The same for all models that a job names: its own, and those of its policy's parameters."""
        named = policy_named(spec.policy).models_in(spec.params)
        own = {} if spec.model is None else {"model": spec.model}
        await self._check(own | {f"{params_at}.{name}": model for name, model in named.items()})

    async def _check(self, named: Mapping[str, str]) -> None:
        refused = {where: model for where, model in named.items() if not await self.serves(model)}
        if refused:
            there = await self.names() or ()
            told = ", ".join(there[:MOST_TOLD]) + (", …" if len(there) > MOST_TOLD else "")
            raise bad_input(
                [
                    Fault(path=where, message=f"no pool serves {model[:100]!r}; there are: {told}")
                    for where, model in refused.items()
                ]
            )


def _listed(engine: OpenAISettings) -> tuple[str, ...] | None:
    """What the upstream lists. A list that cannot be had, or is empty, tells nothing."""
    headers = {"Authorization": f"Bearer {engine.api_key or 'none'}", "User-Agent": "anabranch"}
    try:
        with httpx.Client(headers=headers, timeout=PATIENCE_SECONDS, follow_redirects=True) as client:
            return tuple(list_models(client, engine)) or None
    except (ModelUnavailable, httpx.HTTPError, httpx.InvalidURL):
        return None
