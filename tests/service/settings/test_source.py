"""Where a process finds its settings: what travels is a name, never a secret."""

import pickle
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from anabranch.service.settings import Price, Settings
from anabranch.service.settings.source import OwnEnvironment, WholeFile


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.environ", {"HOME": str(tmp_path)})


SETTINGS = Settings(
    database="postgresql://user:hidden@db/anabranch",
    engine="openai",
    upstream_url="http://upstream/v1",
    upstream_key=SecretStr("hidden"),
    policy_modules=("a", "b"),
    prices={"*": Price(prompt=0.1)},
)


def test_a_whole_file_gives_back_every_setting(tmp_path: Path) -> None:
    source = WholeFile.write(SETTINGS, tmp_path / "settings.json")
    assert source.read().model_dump() == SETTINGS.model_dump()
    assert b"hidden" not in pickle.dumps(source)


def test_a_whole_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    WholeFile.write(SETTINGS, tmp_path / "settings.json")
    assert stat.S_IMODE((tmp_path / "settings.json").stat().st_mode) == 0o600


def test_a_whole_file_knows_better_than_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANABRANCH_ENGINE", "vllm")
    monkeypatch.setenv("ANABRANCH_SCRIPT", "/no/such/file")
    monkeypatch.setenv("ANABRANCH_PRICES", '{"big": {"prompt": 9}}')
    source = WholeFile.write(SETTINGS, tmp_path / "settings.json")
    assert source.read().model_dump() == SETTINGS.model_dump()


def test_the_environment_is_read_where_the_source_has_come_to(monkeypatch: pytest.MonkeyPatch) -> None:
    source = OwnEnvironment()
    monkeypatch.setenv("ANABRANCH_UPSTREAM_KEY", "hidden")
    key = source.read().upstream_key
    assert key is not None
    assert key.get_secret_value() == "hidden"
