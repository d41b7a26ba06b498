"""Pages that are written from the code are what the code says today."""

import importlib
import importlib.util
from pathlib import Path

import pytest


def test_the_architecture_page_lists_todays_events_and_files(root: Path) -> None:
    """`python docs/file_map.py` writes it."""
    spec = importlib.util.spec_from_file_location("file_map", root / "docs" / "file_map.py")
    assert spec is not None and spec.loader is not None
    file_map = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(file_map)
    assert file_map.PAGE.read_text(encoding="utf-8") == file_map.page()


def test_the_page_of_evidence_says_what_its_trials_do(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python benchmarks/evidence.py write` writes it, and the table in README.md."""
    monkeypatch.syspath_prepend(str(root))
    evidence = importlib.import_module("benchmarks.evidence")
    assert evidence.PAGE.read_text(encoding="utf-8") == evidence.page()
    assert evidence.README.read_text(encoding="utf-8") == evidence.readme()
