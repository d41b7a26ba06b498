"""Settings come from the environment; what is wrong there is said at once, by name."""

import json
from pathlib import Path
from typing import get_args

import pytest

from anabranch.service.settings import BadSettings, Price, Settings, read_settings
from anabranch.workers.engines.openai.settings import OpenAISettings
from anabranch.workers.engines.scripted import ScriptedSettings
from anabranch.workers.engines.vllm.settings import VllmSettings


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.environ", {"HOME": str(tmp_path)})


def test_with_nothing_set_all_is_local() -> None:
    settings = read_settings()
    assert settings.host == "127.0.0.1"
    assert settings.database == f"sqlite:///{Path.home()}/.local/share/anabranch/anabranch.db"
    assert settings.engine == "vllm"


def test_the_embedded_database_lies_in_the_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_STATE", "/srv/state")
    assert read_settings().database == "sqlite:////srv/state/anabranch.db"


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_PORT", "9000")
    monkeypatch.setenv("ANABRANCH_REPLICAS", "2")
    settings = read_settings(port=9001, replicas=None)
    assert (settings.port, settings.replicas) == (9001, 2)


def test_an_unknown_variable_is_refused_with_the_nearest_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_DATABSE", "sqlite:///x.db")
    with pytest.raises(
        BadSettings, match="ANABRANCH_DATABSE is not a setting; did you mean ANABRANCH_DATABASE"
    ):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANABRANCH_PORT", "eighty"),
        ("ANABRANCH_ENGINE", "abacus"),
        ("ANABRANCH_DATABASE", "mysql://nowhere/x"),
        ("ANABRANCH_DATABASE", "sqlite://"),
        ("ANABRANCH_DATABASE", "sqlite:///:memory:"),
        ("ANABRANCH_LEASE_SECONDS", "-1"),
        ("ANABRANCH_LEASE_SECONDS", "1e6"),
        ("ANABRANCH_RETENTION_DAYS", "1e6"),
        ("ANABRANCH_PACK_AFTER_DAYS", "1e6"),
        ("ANABRANCH_PRICES", '{"*": {"prompt": -1}}'),
        ("ANABRANCH_PRICES", "cheap"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings, match=f"(?i){name.removeprefix('ANABRANCH_')}"):
        read_settings()


def test_prices_are_given_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_PRICES", '{"*": {"prompt": 0.1, "completion": 0.4}}')
    assert read_settings().prices == {"*": Price(prompt=0.1, completion=0.4)}


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_MODEL", "")
    assert read_settings().model is None


def test_a_key_is_not_shown_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_UPSTREAM_KEY", "hush")
    assert "hush" not in repr(read_settings())


LINKS = {
    "ANABRANCH_SERVICE_HOST": "10.96.0.17",
    "ANABRANCH_SERVICE_PORT": "8000",
    "ANABRANCH_SERVICE_PORT_HTTP": "8000",
    "ANABRANCH_PORT": "tcp://10.96.0.17:8000",
    "ANABRANCH_PORT_8000_TCP": "tcp://10.96.0.17:8000",
    "ANABRANCH_PORT_8000_TCP_PROTO": "tcp",
    "ANABRANCH_PORT_8000_TCP_PORT": "8000",
    "ANABRANCH_PORT_8000_TCP_ADDR": "10.96.0.17",
}
"""As the kubelet writes them for a Service that is named anabranch."""


@pytest.mark.parametrize("address", ["10.96.0.17", "fd00::17"])
@pytest.mark.parametrize("service", ["ANABRANCH", "ANABRANCH_HEAD_SVC"])
def test_service_links_are_no_settings(service: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LINKS.items():
        monkeypatch.setenv(
            name.replace("ANABRANCH", service, 1),
            value.replace("10.96.0.17", address),
        )
    assert read_settings().port == 8000
    assert read_settings(port=9001).port == 9001


def test_a_link_that_is_called_like_any_setting_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Service is named anabranch-link."""
    for name, value in LINKS.items():
        monkeypatch.setenv(name.replace("ANABRANCH", "ANABRANCH_LINK", 1), value)
    assert read_settings().link_port == 0
    monkeypatch.setenv("ANABRANCH_LINK_PORT", "7411")
    assert read_settings().link_port == 7411


def test_the_file_says_what_a_link_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "anabranch.yaml").write_text("port: 9000\nlink_port: 7411\n")
    monkeypatch.setenv("ANABRANCH_CONFIG", str(tmp_path / "anabranch.yaml"))
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.replace("ANABRANCH", "ANABRANCH_LINK", 1), value)
    settings = read_settings()
    assert (settings.port, settings.link_port) == (9000, 7411)


def test_a_port_beside_service_links_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ANABRANCH_PORT", "9000")
    assert read_settings().port == 9000


@pytest.mark.parametrize("name", ["ANABRANCH_PORT", "ANABRANCH_PORT_8000_TCP", "ANABRANCH_SERVICE_PORT"])
def test_what_may_be_a_service_link_is_refused_as_that(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, LINKS[name])
    with pytest.raises(BadSettings, match=f"{name}.*enableServiceLinks: false"):
        read_settings()


def test_a_link_to_link_port_is_refused_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_LINK_PORT", "tcp://10.96.0.17:7411")
    with pytest.raises(BadSettings, match=r"ANABRANCH_LINK_PORT.*enableServiceLinks: false"):
        read_settings()


NUMBERS = [
    name
    for name, field in Settings.model_fields.items()
    if float in (field.annotation, *get_args(field.annotation))
]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_finite(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"ANABRANCH_{name.upper()}", value)
    with pytest.raises(BadSettings, match=f"ANABRANCH_{name.upper()}: Input should be a finite number"):
        read_settings()


def test_service_links_excuse_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**LINKS, "ANABRANCH_PROT": "9000"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings, match="ANABRANCH_PROT is not a setting; did you mean ANABRANCH_PORT"):
        read_settings()


VLLM_OPTIONS = {
    "max_model_len": 8192,
    "kv_cache_gib": 4.0,
    "tensor_parallel": 2,
    "dtype": "bfloat16",
    "extra": {"enable_expert_parallel": True},
}


def test_what_vllm_takes_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_MODEL", "Qwen/Qwen3-8B")
    monkeypatch.setenv("ANABRANCH_GPUS_PER_REPLICA", "2")
    monkeypatch.setenv("ANABRANCH_ENGINE_OPTIONS", json.dumps(VLLM_OPTIONS))
    engine = read_settings().pool_settings()[0].engine
    assert engine == VllmSettings(model="Qwen/Qwen3-8B", **VLLM_OPTIONS)  # type: ignore[arg-type]


def test_the_gpus_of_a_replica_hold_one_model_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_GPUS_PER_REPLICA", "2")
    assert read_settings().pool_settings()[0].engine == VllmSettings(tensor_parallel=2)


def test_an_upstream_may_have_its_peculiarities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_ENGINE", "openai")
    monkeypatch.setenv("ANABRANCH_UPSTREAM_URL", "http://host/v1")
    monkeypatch.setenv("ANABRANCH_UPSTREAM_KEY", "sk-hidden")
    monkeypatch.setenv("ANABRANCH_ENGINE_OPTIONS", '{"parameters": {"max_tokens": "max_completion_tokens"}}')
    assert read_settings().engine_settings() == OpenAISettings(
        base_url="http://host/v1", api_key="sk-hidden", parameters={"max_tokens": "max_completion_tokens"}
    )
    assert "sk-hidden" not in repr(read_settings())


def test_a_script_is_told_how_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_ENGINE", "scripted")
    monkeypatch.setenv("ANABRANCH_SCRIPT", "/srv/script.json")
    monkeypatch.setenv("ANABRANCH_ENGINE_OPTIONS", '{"tokens_per_second": 20}')
    expected = ScriptedSettings(script=Path("/srv/script.json"), tokens_per_second=20)
    assert read_settings().engine_settings() == expected


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        (
            {"ENGINE_OPTIONS": '{"max_model_length": 8192}'},
            "vllm has no option 'max_model_length'; it has: model",
        ),
        ({"ENGINE_OPTIONS": '{"max_model_len": "long"}'}, "max_model_len: Input should be a valid integer"),
        ({"ENGINE_OPTIONS": '{"max_model_len": -1}'}, "max_model_len must be more than 0"),
        ({"ENGINE_OPTIONS": '{"kv_cache_gib": "inf"}'}, "kv_cache_gib: Input should be a finite number"),
        ({"ENGINE_OPTIONS": '{"extra": 1}'}, "extra: Input should be a valid"),
        ({"ENGINE_OPTIONS": '{"tensor_parallel": 4}', "GPUS_PER_REPLICA": "2"}, "each replica has 2 GPUs"),
        ({"GPUS_PER_REPLICA": "1.5"}, "whole ones: not 1.5"),
        ({"ENGINE": "openai"}, "needs the upstream's base URL"),
        ({"ENGINE": "openai", "UPSTREAM_URL": "http://h/v1", "GPUS_PER_REPLICA": "1"}, "take no GPU"),
        ({"ENGINE": "scripted", "GPUS_PER_REPLICA": "1"}, "take no GPU"),
        ({"ENGINE": "scripted", "ENGINE_OPTIONS": '{"dtype": "auto"}'}, "scripted has no option 'dtype'"),
        ({"ENGINE": "abacus"}, "there is no engine 'abacus': choose vllm, openai, scripted"),
    ],
)
def test_an_engine_that_cannot_be_is_refused_in_one_sentence(
    variables: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"ANABRANCH_{name}", value)
    with pytest.raises(BadSettings, match=why) as refused:
        read_settings()
    assert "ANABRANCH_ENGINE_OPTIONS" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("ANABRANCH_PRICES", "{", "ANABRANCH_PRICES is written as JSON, and this is none: Expecting"),
        (
            "ANABRANCH_ALLOWED_HOSTS",
            "foo",
            "ANABRANCH_ALLOWED_HOSTS is written as JSON, and this is none: Expecting",
        ),
        ("ANABRANCH_PRICES", "[" * 100_000, "ANABRANCH_PRICES: it is nested deeper than 64 levels"),
        ("ANABRANCH_TOOLS", '{"a": "b:c", "a": "b:d"}', "ANABRANCH_TOOLS: "),
        ("ANABRANCH_PRICES", '{"*": {"prompt": -1}}', r"ANABRANCH_PRICES\.\*\.prompt: Input should be"),
    ],
)
def test_json_that_cannot_be_read_is_told_by_the_variables_name(
    name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings, match=f"^{why}"):
        read_settings()


@pytest.mark.parametrize("secret", [None, "", " "])
def test_organizers_that_others_can_reach_demand_a_secret(secret: str | None) -> None:
    with pytest.raises(BadSettings, match=r"LINK_HOST.*ANABRANCH_LINK_SECRET"):
        read_settings(link_host="0.0.0.0", link_secret=secret)
    assert read_settings(link_host="127.0.0.1", link_secret=secret).link_host == "127.0.0.1"
