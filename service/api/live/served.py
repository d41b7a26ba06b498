"""Tells which models the pool serves, as clients may name them, and refuses the others before a job is written."""

import asyncio
import time
from collections.abc import Callable

import httpx

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
    """The models of one deployment. An engine of its own serves one; an upstream is asked, now and then."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = settings.engine_settings()
        self._clock = clock
        self._known: tuple[str, ...] | None = None
        self._asked_at = -FRESH_SECONDS
        self._asking = asyncio.Lock()

    async def names(self) -> tuple[str, ...] | None:
        """None where nobody can tell at present."""
        if not isinstance(self._engine, OpenAISettings):
            return (self._engine.model,)
        async with self._asking:
            if self._clock() - self._asked_at >= FRESH_SECONDS:
                self._known = await asyncio.to_thread(_listed, self._engine)
                self._asked_at = self._clock()
        return self._known

    async def check(self, model: str | None, where: str = "model") -> None:
        """Raises Refused for a model that is not served, and says which are; `where` it stands in the body."""
        if model is None or (names := await self.names()) is None or model in names:
            return
        told = ", ".join(names[:MOST_TOLD]) + (", …" if len(names) > MOST_TOLD else "")
        message = f"this pool does not serve {model[:100]!r}; it serves: {told}"
        raise bad_input([Fault(path=where, message=message)])


def _listed(engine: OpenAISettings) -> tuple[str, ...] | None:
    """What the upstream lists, and what the operator named. A list that cannot be had, or is empty, tells nothing."""
    headers = {"Authorization": f"Bearer {engine.api_key or 'none'}", "User-Agent": "anabranch"}
    try:
        with httpx.Client(headers=headers, timeout=PATIENCE_SECONDS, follow_redirects=True) as client:
            listed = list_models(client, engine)
    except (ModelUnavailable, httpx.HTTPError, httpx.InvalidURL):
        return None
    named = () if engine.model is None else (engine.model,)
    return tuple(dict.fromkeys((*named, *listed))) if listed else None
