"""An engine is had by its name."""

import json

import pytest

from anabranch.workers.engines.factory import build_engine
from anabranch.workers.errors import ModelUnavailable
from anabranch.workers.settings import EngineSettings


async def test_the_scripted_engine_takes_a_script_by_path(tmp_path, request_for):
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"rules": [{"text": "one two"}]}))
    options = {"script": str(path), "chunk_tokens": 2}
    engine = build_engine(EngineSettings(name="scripted", options=options))

    assert [chunk.text async for chunk in engine.decode(request_for())] == ["one two"]
    assert (engine.capabilities.name, engine.capabilities.model) == ("scripted", "scripted")


@pytest.mark.parametrize(("name", "missing"), [("vllm", "model"), ("openai", "base URL")])
def test_an_engine_says_what_it_cannot_start_without(name, missing):
    with pytest.raises(ModelUnavailable, match=missing):
        build_engine(EngineSettings(name=name))


def test_an_upstreams_key_is_not_shown():
    settings = EngineSettings(name="openai", options={"api_key": "secret"})
    assert "secret" not in repr(settings)


def test_an_engine_nobody_has_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(ModelUnavailable, match="choose vllm, openai or scripted"):
        build_engine(EngineSettings(name="abacus"))
