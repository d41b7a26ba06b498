"""docs/policies.md: its example is a policy, its test passes, and its pictures are those of today's policies."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.dag.conftest import Simulate

from anabranch.dag import policy as catalogue_module
from anabranch.dag.policy import catalogue

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
POLICY, TEST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def loaded(name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_the_example_is_a_policy_and_its_tests_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulate: Simulate
) -> None:
    monkeypatch.setattr(catalogue_module, "_CATALOGUE", dict(catalogue()))
    (tmp_path / "second_opinion.py").write_text(POLICY, encoding="utf-8")
    (tmp_path / "the_test.py").write_text(TEST, encoding="utf-8")
    loaded("second_opinion", tmp_path / "second_opinion.py", monkeypatch)
    tests = loaded("the_test", tmp_path / "the_test.py", monkeypatch)
    names = [name for name in vars(tests) if name.startswith("test_")]
    assert len(names) == 2
    for name in names:
        getattr(tests, name)(simulate)


def test_it_is_as_short_as_the_page_says() -> None:
    assert sum(bool(line.strip()) for line in POLICY.splitlines()) <= 32


def test_the_catalogue_is_drawn_from_todays_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = loaded("draw_policies", ROOT / "docs" / "draw_policies.py", monkeypatch)
    assert set(drawing.JOBS) <= set(catalogue())  # a new policy is drawn once it has a job there
    assert drawing.page() == PAGE, "run: python docs/draw_policies.py"
