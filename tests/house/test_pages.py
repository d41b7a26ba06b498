"""Pages that are written from the code are what the code says today."""

import importlib.util
from pathlib import Path


def test_the_architecture_page_lists_todays_events_and_files(root: Path) -> None:
    """`python docs/file_map.py` writes it."""
    spec = importlib.util.spec_from_file_location("file_map", root / "docs" / "file_map.py")
    assert spec is not None and spec.loader is not None
    file_map = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(file_map)
    assert file_map.PAGE.read_text(encoding="utf-8") == file_map.page()
