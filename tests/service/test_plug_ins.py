"""Policies of installed packages, and of modules that a setting names: found by every process, and told when broken."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.plug_ins import COIN, build_wheel, install, install_coin

PROGRAM = """
import json, logging, sys
logging.basicConfig(format="LOG %(message)s")
from anabranch.dag.job import JobSpec
from anabranch.dag.policy import catalogue
from anabranch.dag.policy_version import machinery
from anabranch.dag.simulator import Simulation
from anabranch.dag.text import say
from anabranch.service.policies import check_params, load_policies
from anabranch.service.settings import BadSettings, read_settings

try:
    load_policies(read_settings().policy_modules)
except BadSettings as error:
    sys.exit(str(error))
told = {"names": sorted(catalogue())}
if "coin" in catalogue():
    params = check_params("coin", {"side": "tails"})
    spec = JobSpec(messages=(say("user", "Which?"),), policy="coin", params=params)
    simulation = Simulation(spec, lambda decode: "so be it")
    simulation.run()
    told["answer"] = simulation.interpreter.state.answer.text
    told["machinery"] = machinery(catalogue()["coin"].function.__module__)
print(json.dumps(told))
"""


def ask(site: Path, **environment: str) -> tuple[dict[str, Any], str]:
    """What a new process with these packages finds, and what it tells on stderr."""
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return (json.loads(done.stdout) if done.returncode == 0 else {}), done.stderr


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    found, told = ask(tmp_path_factory.mktemp("empty"))
    assert told == ""
    return list(found["names"])


def test_an_installed_package_adds_a_policy(tmp_path: Path, ours: list[str]) -> None:
    found, told = ask(install_coin(tmp_path))
    assert set(found["names"]) == {*ours, "coin"}
    assert found["answer"] == "It is tails: so be it"
    assert found["machinery"] == ["coin_policies.coin", "coin_policies.words"]
    assert told == ""


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            "import a_module_that_is_not_there",
            "ModuleNotFoundError: No module named 'a_module_that_is_not_there'",
        ),
        ("raise SystemExit('enough')", "SystemExit: enough"),
        ("def half(:", "SyntaxError"),
        (
            COIN.replace("def coin(", "def plan("),
            "the name 'plan' is taken by a policy of anabranch.dag.policies.plan",
        ),
        (COIN + "raise RuntimeError('after all')", "RuntimeError: after all"),
    ],
)
def test_a_broken_package_is_told_in_one_sentence_and_takes_no_other_down(
    tmp_path: Path, ours: list[str], source: str, why: str
) -> None:
    """None of its policies is entered, those that it had defined before it broke included."""
    site = install_coin(tmp_path)
    source = source.replace("def coin(", "def other(").replace("coin_policies.words", "broken_words")
    files = {"broken_policies.py": source, "broken_words.py": "def opening() -> str:\n    return ''\n"}
    install(site, build_wheel(tmp_path, "broken_policies", files, {"a-first-one": "broken_policies"}))
    found, told = ask(site)
    assert set(found["names"]) == {*ours, "coin"}
    [line] = told.splitlines()
    sentence = (
        "LOG policy plug-in 'a-first-one' of package broken-policies 1.0 (broken_policies) is left out: "
    )
    assert line.startswith(sentence)
    assert why in line


def test_a_setting_names_modules_that_no_package_announces(tmp_path: Path, ours: list[str]) -> None:
    (tmp_path / "my_coin.py").write_text(COIN.replace("coin_policies.words", "my_words"), encoding="utf-8")
    (tmp_path / "my_words.py").write_text("def opening() -> str:\n    return 'My'\n", encoding="utf-8")
    found, _ = ask(tmp_path, ANABRANCH_POLICY_MODULES='["my_coin"]')
    assert set(found["names"]) == {*ours, "coin"}
    assert found["answer"] == "My tails: so be it"


def test_a_module_that_the_operator_named_and_that_breaks_is_refused(tmp_path: Path) -> None:
    found, told = ask(tmp_path, ANABRANCH_POLICY_MODULES='["not_there"]')
    assert found == {}
    assert told.strip() == (
        "ANABRANCH_POLICY_MODULES: policy module 'not_there' cannot be loaded: "
        "ModuleNotFoundError: No module named 'not_there'"
    )
