"""Settings may stand in a YAML file; the environment goes over it, and what is wrong in it is refused whole."""

from pathlib import Path

import pytest

from anabranch.service.settings import BadSettings, Price, read_settings


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "anabranch.yaml"
    monkeypatch.setattr("os.environ", {"HOME": str(tmp_path), "ANABRANCH_CONFIG": str(path)})
    return path


def test_the_file_sets_what_the_environment_does_not(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(
        "# ours\nport: 9000\nreplicas: 3\npolicy: sequential\nallowed_hosts: [a.example]\n"
        'prices:\n  "*": {prompt: 0.1, completion: 0.4}\n'
    )
    monkeypatch.setenv("ANABRANCH_REPLICAS", "2")
    settings = read_settings(port=9001)
    assert (settings.port, settings.replicas, settings.policy) == (9001, 2, "sequential")
    assert settings.allowed_hosts == ("a.example",)
    assert settings.prices == {"*": Price(prompt=0.1, completion=0.4)}


def test_a_setting_of_the_environment_goes_over_the_whole_of_the_files(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("prices: {a: {prompt: 1}, b: {prompt: 2}}\n")
    monkeypatch.setenv("ANABRANCH_PRICES", '{"b": {"prompt": 3}}')
    assert read_settings().prices == {"b": Price(prompt=3)}


@pytest.mark.parametrize("written", ["", "# nothing yet\n", "---\n", "policy:\n"])
def test_what_is_left_empty_is_not_set(config: Path, written: str) -> None:
    config.write_text(written)
    assert read_settings().policy == "plan"


def test_a_file_that_is_not_there_is_refused(config: Path) -> None:
    with pytest.raises(BadSettings, match=rf"ANABRANCH_CONFIG: {config} cannot be read: No such file"):
        read_settings()


def test_words_are_what_they_say(config: Path) -> None:
    config.write_text(
        "model: no\npolicy: 'plan'\nhost: \"127.0.0.1\"\nengine_options: {extra: {a: 010, b: 1:30}}\n"
    )
    settings = read_settings()
    assert settings.model == "no"
    assert settings.engine_options == {"extra": {"a": "010", "b": "1:30"}}


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("prot: 9000", "prot is not a setting; did you mean port?"),
        ("ANABRANCH_PORT: 9000", "ANABRANCH_PORT is not a setting; did you mean port?"),
        ("port: eighty", "port: Input should be a valid integer"),
        ("port: true", "port: true is none of its values"),
        ("port: [9000]", "port: Input should be a valid integer"),
        ("prices: {a: {prompt: -1}}", r"prices\.a\.prompt: Input should be greater"),
        ("port: 1\nport: 2", "line 2: port stands twice in its mapping"),
        ("prices: {a: {prompt: 1, prompt: 2}}", "line 1: prompt stands twice in its mapping"),
        ("- port", "must be a mapping of settings"),
        ("port", "must be a mapping of settings"),
        ("port: 1\n---\nport: 2", "line 2: a second document begins"),
        ("port: {", "line 1: "),
        ("port: !!int 3", "line 1: tag:yaml.org,2002:int is a tag"),
        ("model: !!python/object/apply:os.system [x]", "line 1: .*is a tag"),
        ("tools: &a {b: c}\nprices: *a", r"line 2: \*a is an alias; write out what it stands for"),
        ("? [a]\n: b", "a key is a word"),
        ("port: " + "[" * 100_000, "nested deeper than 64 levels"),
        ("allowed_hosts: [" + "a," * 30_000 + "]", "20,000 values"),
        ("model: " + "a" * 1_000_001, "more than 1,000,000 bytes"),
        ("upstream_key: sk-1", "upstream_key is a secret.*ANABRANCH_UPSTREAM_KEY in the environment"),
        ("link_secret: hush", "link_secret is a secret"),
        ("database: postgresql://u:hush@db/x", "database holds a secret.*set ANABRANCH_DATABASE"),
        ("database: postgresql+psycopg://u:a@b:c@db/x", "database holds a secret"),
        ("database: postgresql://db/x?user=u&password=hush", "database holds a secret"),
        ("upstream_url: https://:hush@a.example/v1", "upstream_url holds a secret"),
        ("pools: {a: {upstream_url: 'HTTPS://u:hush@b'}}", r"pools\.a\.upstream_url holds a secret"),
        ("engine_options: {api_key: hush}", r"engine_options\.api_key holds a secret"),
        ("engine_options: {extra: {hf_token: hush}}", r"engine_options\.extra\.hf_token holds a secret"),
        ("pools: {a: {vllm_args: {hf_token: hush}}}", r"pools\.a\.vllm_args\.hf_token holds a secret"),
        ("config: other.yaml", "names no other"),
        ("engine: abacus", "there is no engine 'abacus'"),
    ],
)
def test_what_is_wrong_in_it_is_refused_with_its_place(config: Path, written: str, why: str) -> None:
    config.write_text(written)
    with pytest.raises(BadSettings, match=why) as refused:
        read_settings()
    assert len(str(refused.value)) < 2000
    assert "sk-1" not in str(refused.value)


@pytest.mark.parametrize("url", ["postgresql://u@db:5432/x?sslmode=require", "postgresql:///x?host=/run/pg"])
def test_a_database_without_a_password_may_stand_in_it(config: Path, url: str) -> None:
    config.write_text(f"database: {url}\n")
    assert read_settings().database == url


def test_all_that_is_wrong_is_told_at_once(config: Path) -> None:
    config.write_text("prot: 1\nreplicsa: 2\n")
    with pytest.raises(BadSettings, match=r"did you mean port\?.*did you mean replicas\?"):
        read_settings()


@pytest.mark.parametrize("written", [b"\xff\xfe\x00", b"model: a\x00b", b"model: \x80"])
def test_bytes_that_are_no_text_are_refused(config: Path, written: bytes) -> None:
    config.write_bytes(written)
    with pytest.raises(BadSettings, match="ANABRANCH_CONFIG"):
        read_settings()
