"""docs/pools.md: its settings are read as they stand, and its tables tell of every field and every policy."""

import json
import re
from pathlib import Path

import pytest

from anabranch.dag.policy import catalogue
from anabranch.service.api.live.served import ServedModels
from anabranch.service.api.problems import Refused
from anabranch.service.settings import PoolDeclaration, read_settings
from anabranch.service.settings.fields import OF_ONE_POOL
from anabranch.service.settings.source import WholeFile

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "pools.md").read_text(encoding="utf-8")


def fenced(kind: str) -> str:
    """The first block of this kind."""
    found = re.search(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, kind
    return found[1]


def rows(heading: str) -> dict[str, str]:
    """The table below this heading: its first cells, each with the rest of its row."""
    section = PAGE.split(f"| {heading} |")[1].split("\n\n")[0]
    return dict(re.findall(r"^\| (`.*?) \| (.*) \|$", section, re.MULTILINE))


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "anabranch.yaml"
    path.write_text(fenced("yaml"))
    environment = {"HOME": str(tmp_path), "ANABRANCH_CONFIG": str(path), "BIG_KEY": "sk-1"}
    monkeypatch.setattr("os.environ", environment)
    return path


def test_its_settings_are_two_pools(config: Path, tmp_path: Path) -> None:
    settings = read_settings()
    assert [pool.name for pool in settings.pool_settings()] == ["small", "big"]
    assert settings.limits("big").completion_price == pytest.approx(8e-6)
    assert (
        WholeFile.write(settings, tmp_path / "settings.json").read().pool_settings()
        == settings.pool_settings()
    )


async def test_its_refusal_is_what_is_answered(config: Path) -> None:
    told = json.loads(re.search(r"^422  (\{.*\})$", PAGE, re.MULTILINE)[1])  # type: ignore[index]
    with pytest.raises(Refused) as refused:
        await ServedModels(read_settings()).check("huge")
    assert [fault.model_dump() for fault in refused.value.refusal.errors] == [told]


async def test_its_job_is_taken(config: Path) -> None:
    body = json.loads(fenced("json"))
    policy = body["policy"]
    named = catalogue()[policy["name"]].models_in(policy["params"])
    assert named == {"judge_model": "big"}
    for model in (body["model"], *named.values()):
        await ServedModels(read_settings()).check(model)


def test_it_tells_of_every_field_of_a_pool() -> None:
    told = set(re.findall(r"`(\w+)`", PAGE.split("## What may be said of a pool")[1].split("**Secrets")[0]))
    assert set(PoolDeclaration.model_fields) <= told
    assert all(f"`{name}`" in PAGE for name in OF_ONE_POOL)


def test_its_policies_have_models_of_their_own() -> None:
    names = ("judge_model", "planner_model", "worker_model")
    told = {name: set(re.findall(r"`([\w-]+)`", rows("parameter")[f"`{name}`"])) for name in names}
    found = {
        name: {policy for policy, info in catalogue().items() if name in info.models_in({name: "m"})}
        for name in names
    }
    assert all(told[name] <= found[name] for name in names), "a policy is told of that has no such parameter"
    assert all(len(told[name]) > 1 for name in names)
