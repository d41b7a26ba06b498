"""An engine is made of its settings, and the registry knows every kind."""

import json
from pathlib import Path

import pytest
from tests.workers.conftest import RequestFor

from anabranch.workers.engines.factory import ENGINES, build_engine
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.scripted import ScriptedSettings


async def test_the_scripted_engine_takes_a_script_by_path(tmp_path: Path, request_for: RequestFor) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"rules": [{"text": "one two"}]}))
    engine = build_engine(ScriptedSettings(script=path, chunk_tokens=2))

    assert [chunk.text async for chunk in engine.decode(request_for())] == ["one two"]
    assert (engine.capabilities.name, engine.capabilities.model) == ("scripted", "scripted")


def test_an_upstream_needs_its_url() -> None:
    with pytest.raises(ValueError, match="base URL"):
        OpenAISettings()


@pytest.mark.parametrize(
    "url", ["not a url", "host:8000/v1", "http://", "ftp://host/v1", "http:///v1", "http://[::1/v1"]
)
def test_what_is_no_url_of_an_upstream_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        OpenAISettings(base_url=url)


def test_an_upstreams_key_is_not_shown() -> None:
    assert "secret" not in repr(OpenAISettings(base_url="http://host/v1", api_key="secret"))


@pytest.mark.parametrize("settings", [OpenAISettings(base_url="http://host/v1"), ScriptedSettings()])
def test_an_engine_that_computes_elsewhere_takes_no_gpu(settings: OpenAISettings | ScriptedSettings) -> None:
    assert settings.on_gpus(0) == settings
    with pytest.raises(ValueError, match="no GPU"):
        settings.on_gpus(1)


def test_every_engine_is_had_by_its_name() -> None:
    assert {name: kind.name for name, kind in ENGINES.items()} == {
        "vllm": "vllm",
        "openai": "openai",
        "scripted": "scripted",
    }
