"""A replica that starts before what it needs."""

from typing import Any

import pytest

from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.scripted import ScriptedSettings
from anabranch.workers.errors import ModelUnavailable
from anabranch.workers.pool import deployment
from anabranch.workers.pool.deployment import await_upstream


def test_an_upstream_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve gives a replica up, for good, that fails three times."""
    engine: Any = object()
    outcomes: list[Any] = [*(ModelUnavailable("no answer") for _ in range(4)), engine]

    def build(_: object) -> Any:
        if isinstance(found := outcomes.pop(0), Exception):
            raise found
        return found

    monkeypatch.setattr(deployment, "build_engine", build)
    assert await_upstream(OpenAISettings(base_url="http://upstream/v1"), pause=0.0) is engine


def test_a_model_that_cannot_be_loaded_here_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_: object) -> Any:
        raise ModelUnavailable("no such model")

    monkeypatch.setattr(deployment, "build_engine", build)
    with pytest.raises(ModelUnavailable):
        await_upstream(ScriptedSettings(), pause=0.0)
