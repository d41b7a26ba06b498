"""Pools are declared by name, each with its engine, its models and its price; what cannot be is refused in words."""

from pathlib import Path

import pytest

from anabranch.dag.limits import Price
from anabranch.service.settings import BadSettings, Settings, read_settings
from anabranch.service.settings.source import WholeFile
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.scripted import ScriptedSettings
from anabranch.workers.engines.vllm.settings import VllmSettings
from anabranch.workers.settings import PoolSettings

DECLARED = """
pools:
  small:
    model: qwen2.5-0.5b-instruct
    replicas: 2
    gpus_per_replica: 2
    max_decodes: 16
    max_model_len: 8192
    dtype: bfloat16
    kv_cache_bytes: 4294967296
    vllm_args: {enable_expert_parallel: true}
    adapters: {sql: /models/sql-lora}
    price: {prompt: 0.1, completion: 0.4}
  big:
    engine: openai
    model: some-model
    upstream_url: https://host/v1
    upstream_key_env: BIG_KEY
    adapters: {law: org/law-lora}
    max_replicas: 4
    min_replicas: 0
  any: {engine: openai, upstream_url: "https://other/v1"}
default_pool: big
"""


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "anabranch.yaml"
    monkeypatch.setattr("os.environ", {"HOME": str(tmp_path), "ANABRANCH_CONFIG": str(path)})
    return path


def read(config: Path, written: str) -> Settings:
    config.write_text(written)
    return read_settings()


def test_each_pool_is_made_of_what_it_declares_the_default_one_first(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIG_KEY", "sk-hidden")
    settings = read(config, DECLARED)
    big, small, open_one = settings.pool_settings()
    assert big == PoolSettings(
        name="big",
        engine=OpenAISettings(
            base_url="https://host/v1",
            api_key="sk-hidden",
            model="some-model",
            adapters={"law": "org/law-lora"},
        ),
        replicas=1,
        min_replicas=0,
        max_replicas=4,
        stall_seconds=300.0,
    )
    assert small == PoolSettings(
        name="small",
        engine=VllmSettings(
            model="qwen2.5-0.5b-instruct",
            max_model_len=8192,
            dtype="bfloat16",
            kv_cache_gib=4.0,
            tensor_parallel=2,
            extra={"enable_expert_parallel": True},
            adapters={"sql": "/models/sql-lora"},
        ),
        replicas=2,
        gpus_per_replica=2,
        max_decodes=16,
        stall_seconds=300.0,
    )
    assert (open_one.name, open_one.takes_any) == ("any", True)
    assert "sk-hidden" not in repr(settings)


def test_without_pools_there_is_one_of_the_single_settings() -> None:
    (pool,) = Settings(engine="scripted", model="recorded", replicas=3).pool_settings()
    assert pool == PoolSettings(
        name="default", engine=ScriptedSettings(model="recorded"), replicas=3, stall_seconds=300.0
    )


def test_pools_come_as_json_from_the_environment_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    declared = '{"a": {"engine": "scripted", "script": "/x.json", "gpus_per_replica": 0}}'
    monkeypatch.setattr("os.environ", {"HOME": str(tmp_path), "ANABRANCH_POOLS": declared})
    (pool,) = read_settings().pool_settings()
    assert pool.engine == ScriptedSettings(script=Path("/x.json"))


def test_a_whole_file_gives_back_every_pool(config: Path, tmp_path: Path) -> None:
    settings = read(config, DECLARED)
    source = WholeFile.write(settings, tmp_path / "settings.json")
    assert source.read().pool_settings() == settings.pool_settings()


def test_a_key_is_read_where_it_is_needed_and_missed_by_its_name(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read(config, DECLARED)
    settings.require_key("small")
    with pytest.raises(BadSettings, match=r"pools\.big\.upstream_key_env: BIG_KEY is not set"):
        settings.require_key("big")
    monkeypatch.setenv("BIG_KEY", "sk")
    settings.require_key("big")


POOL = "pools: {a: {engine: scripted, %s}}"
ANY = "{engine: openai, upstream_url: 'http://u'}"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("pools: {a: {replcas: 2}}", r"pools\.a: there is no 'replcas'; did you mean replicas\?"),
        ("pools: {a: {upstream_key: sk-1}}", r"there is no 'upstream_key'; did you mean upstream_key_env"),
        ("pools: {a: {price: {promt: 1}}}", r"pools\.a\.price: there is no 'promt'; did you mean prompt"),
        ("pools: {a: {replicas: two}}", r"CONFIG: .*: pools\.a\.replicas: Input should be a valid integer"),
        ("pools: {a: {replicas: '2'}}", r"pools\.a\.replicas: Input should be a valid integer"),
        ("pools: {a: {replicas: true}}", r"pools\.a\.replicas: Input should be a valid integer"),
        ("pools: {a: {replicas: 0}}", r"pools\.a\.replicas: Input should be greater"),
        ("pools: {a: 3}", r"pools\.a: Input should be"),
        ("pools: [a]", "pools: Input should be"),
        ("pools: {a: {engine: abacus}}", "pools.a: there is no engine 'abacus'"),
        ("pools: {A_b: {engine: scripted}}", "'A_b' is no name"),
        ("pools: {-a: {engine: scripted}}", "'-a' is no name"),
        ("pools: {" + "a" * 41 + ": {engine: scripted}}", "is no name"),
        (POOL % "replicas: 1, max_replicas: 2", "say replicas, or min_replicas and max_replicas"),
        (POOL % "min_replicas: 1", "needs max_replicas"),
        (POOL % "min_replicas: 3, max_replicas: 2", r"min_replicas \(3\) is more than max_replicas \(2\)"),
        (POOL % "dtype: bfloat16", "engine scripted has no dtype"),
        (POOL % "upstream_url: http://h/v1", "engine scripted has no upstream_url"),
        (POOL % "upstream_key_env: KEY", "engine scripted has no upstream_key_env"),
        (POOL % "gpus_per_replica: 1", "take no GPU"),
        (POOL % "adapters: [a]", "an adapter is called 'a', as its pool or its model is"),
        ("pools: {a: {adapters: [x]}}", "named with their folders"),
        ("pools: {a: {vllm_args: {dtype: auto}}}", "extra has dtype"),
        ("pools: {a: {gpus_per_replica: 1.5}}", "whole ones"),
        ("pools: {a: {engine: openai}}", "needs the upstream's base URL"),
        (
            "pools: {a: {engine: openai, upstream_url: u, upstream_key_env: 'sk-proj-1 x'}}",
            "the name of an environment variable",
        ),
        (
            "pools: {a: {engine: openai, upstream_url: u, upstream_key_env: ANABRANCH_X}}",
            "names that begin with ANABRANCH_ are settings",
        ),
        (
            "pools: {a: {engine: openai, upstream_url: u, engine_options: {api_key: sk-1}}}",
            "keys are only named here",
        ),
        ("pools: {a: {engine: scripted}}\ndefault_pool: b", "default_pool: there is no pool 'b'"),
        ("default_pool: b", "default_pool: there is no pool 'b'"),
        ("pools: {a: {engine: scripted}}\nreplicas: 2", "take away replicas"),
        ("pools: {a: {engine: scripted, model: b}, b: {engine: scripted}}", "rename that pool"),
        ("pools: {a: {engine: scripted, adapters: [b]}, b: {engine: scripted}}", "rename that pool"),
        ("pools: {a: {engine: scripted, adapters: ['']}}", "is no name of a model"),
        ("pools: {a: {engine: scripted, adapters: ['*']}}", "is no name of a model"),
        ("pools: {a: {engine: openai, upstream_url: 'http://u', model: ' '}}", "is no name of a model"),
        (
            f"pools: {{a: {ANY}, b: {{engine: scripted}}, c: {ANY}}}",
            "a and c would both take any model that their upstreams list: say the model of all but one",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(config: Path, written: str, why: str) -> None:
    with pytest.raises(BadSettings, match=why) as refused:
        read(config, written)
    assert "sk-1" not in str(refused.value) and "sk-proj" not in str(refused.value)
    assert "\n" not in str(refused.value)


# -- prices

PRICED = """
pools:
  small: {engine: scripted, model: s, adapters: [sql], price: {prompt: 1, completion: 2}}
  big: {engine: scripted, model: b, price: {completion: 8}}
  free: {engine: scripted, model: f}
prices: {sql: {completion: 3}, f: {completion: 5}}
"""


@pytest.mark.parametrize(
    ("model", "completion"),
    [(None, 2), ("small", 2), ("s", 2), ("sql", 3), ("big", 8), ("b", 8), ("free", 5), ("f", 5), ("gone", 0)],
)
def test_a_models_own_price_goes_before_its_pools(config: Path, model: str | None, completion: int) -> None:
    settings = read(config, PRICED)
    assert settings.limits(model).completion_price == pytest.approx(completion / 1e6)
    if model is not None:
        assert settings.limits(None).price_of(model).completion == pytest.approx(completion / 1e6)


@pytest.mark.parametrize("model", ["foo", "up", "s", "gone"])
def test_a_branch_costs_what_a_job_of_its_model_does(config: Path, model: str) -> None:
    """Also where a pool takes names that nobody declared, and `*` has a price besides."""
    up = "{engine: openai, upstream_url: 'http://u/v1', price: {completion: 1}}"
    written = (
        f"pools: {{small: {{engine: scripted, model: s}}, up: {up}}}\nprices: {{'*': {{completion: 5}}}}"
    )
    settings = read(config, written)
    own = settings.limits(model)
    assert settings.limits("s").price_of(model) == Price(
        prompt=own.prompt_price, completion=own.completion_price
    )
    assert own.completion_price == pytest.approx(5e-6 if model == "s" else 1e-6)


def test_where_all_cost_the_same_a_job_is_told_one_price(config: Path) -> None:
    settings = read(
        config, 'pools: {a: {engine: scripted}, b: {engine: scripted}}\nprices: {"*": {prompt: 1}}'
    )
    assert settings.limits("b").prices == {}
    assert settings.limits("b").price_of("a") == Price(prompt=1e-6)
