"""docs/settings.md tells of every setting, as the code has it now."""

import subprocess
import sys
from pathlib import Path

import pytest

from anabranch.service.settings import PREFIX, READ_BY_WORKERS, Settings

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "docs" / "settings_page.py"


def test_the_page_is_current() -> None:
    printing = f"import runpy; print(runpy.run_path({str(SCRIPT)!r})['page'](), end='')"
    written = subprocess.run([sys.executable, "-c", printing], capture_output=True, text=True, check=True)
    found = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert found == written.stdout, "run: python docs/settings_page.py"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is_for(name: str) -> None:
    assert (Settings.model_fields[name].description or "").endswith((".", "…"))


def test_all_that_is_read_is_told() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for variable in READ_BY_WORKERS | {PREFIX + name.upper() for name in Settings.model_fields}:
        assert f"`{variable}`" in page
    assert "docs/settings.md" in (ROOT / "README.md").read_text(encoding="utf-8")
