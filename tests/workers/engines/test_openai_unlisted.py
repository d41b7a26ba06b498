"""Names of models that an upstream does not list: some it serves all the same, others are refused with its list."""

import json

import pytest
from tests.workers.engines.upstream import Answer, Upstream, serving

from anabranch.workers.engines.factory import build_engine
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.errors import ModelUnavailable


def refusal(upstream: Upstream, model: str, **settings: object) -> str:
    with serving(upstream), pytest.raises(ModelUnavailable) as refused:
        build_engine(OpenAISettings(base_url=upstream.url, model=model, vllm=False, **settings))  # type: ignore[arg-type]
    return str(refused.value).replace(upstream.url, "URL")


def accepted(upstream: Upstream, model: str) -> None:
    with serving(upstream):
        engine = build_engine(OpenAISettings(base_url=upstream.url, model=model, vllm=False))
    assert engine.capabilities.model == model


def test_a_listed_model_is_not_asked_for_anything() -> None:
    upstream = Upstream(models=("small", "large"))
    accepted(upstream, "large")
    assert upstream.asked == []


def test_what_ollama_calls_latest_needs_no_tag() -> None:
    upstream = Upstream(models=("qwen3:latest",))
    accepted(upstream, "qwen3")
    assert upstream.asked == []


def test_a_gateway_serves_what_it_does_not_list() -> None:
    upstream = Upstream(models=("small",))
    accepted(upstream, "large")
    assert [body["model"] for body in upstream.asked] == ["large"]


@pytest.mark.parametrize("status", [400, 404])
def test_an_unknown_model_is_refused_with_those_that_there_are(status: int) -> None:
    upstream = Upstream(
        models=("small", "large"), error=(status, {"message": "The model 'hug' does not exist"})
    )
    assert refusal(upstream, "hug") == "URL does not serve 'hug'; it serves: large, small"


def test_of_a_long_list_the_beginning_is_told() -> None:
    upstream = Upstream(models=tuple(f"m{n:03}" for n in range(300)), error=(404, {"message": "no"}))
    assert refusal(upstream, "hug").endswith(", m018, m019, and 280 more")


def test_an_adapter_that_is_not_loaded_is_refused_too() -> None:
    upstream = Upstream(models=("small",), error=(404, {"message": "no such adapter"}))
    assert "does not serve 'law-7'" in refusal(upstream, "small", adapters={"law": "law-7"})


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_who_is_busy_or_broken_has_not_said_that_there_is_none(status: int) -> None:
    accepted(Upstream(models=("small",), error=(status, {"message": "the model is overloaded"})), "large")


def test_without_a_list_the_url_is_doubted() -> None:
    upstream = Upstream(listing=404, error=(404, {"message": "Not Found"}))
    assert refusal(upstream, "some-model").endswith(
        "lists no models and refuses 'some-model': HTTP 404: Not Found (does the URL lack /v1?)"
    )


def test_a_key_that_is_not_taken_is_not_repeated() -> None:
    upstream = Upstream(listing=401)
    told = refusal(upstream, "small", api_key="sk-secret")
    assert "does not take the key" in told
    assert "sk-secret" not in told


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_an_upstream_that_repeats_the_key_is_told_without_it(status: int) -> None:
    said = {"error": {"message": "Incorrect API key provided: sk-secret"}}
    upstream = Upstream(listed=Answer(status=status, pieces=(json.dumps(said).encode(),)))
    told = refusal(upstream, "small", api_key="sk-secret")
    assert "[key]" in told and "sk-secret" not in told


def test_an_upstream_that_is_away_is_told_without_the_password_of_its_url() -> None:
    settings = OpenAISettings(base_url="http://anabranch:Hunter2@127.0.0.1:9/v1", model="small")
    with pytest.raises(ModelUnavailable) as told:
        build_engine(settings)
    assert "http://anabranch:[password]@127.0.0.1:9/v1 does not answer" in str(told.value)
    assert "Hunter2" not in str(told.value)


@pytest.mark.parametrize("address", ["Hunter2/x@host/v1", "Hunter2\uff0fx@host/v1", "[Hunter2@host/v1"])
def test_an_address_that_cannot_be_read_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ValueError, match="begins with http:// or https://") as refused:
        OpenAISettings(base_url=f"http://anabranch:{address}")
    assert "Hunter2" not in str(refused.value)
