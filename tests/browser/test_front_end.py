"""The dashboard's sources without a browser: its modules' own tests, its types, its style and its size."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from anabranch.service.dashboard.scripts import wire_types

DASHBOARD = Path(__file__).parents[2] / "service" / "dashboard"
LINES = 300


def node(*arguments: str) -> str:
    """What a Node program printed. Fails when it failed; skips where Node or the packages are missing."""
    if shutil.which("node") is None or not (DASHBOARD / "node_modules").exists():
        pytest.skip("node or its packages are not here: make ui")
    done = subprocess.run(["node", *arguments], cwd=DASHBOARD, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def sources() -> list[Path]:
    found = [path for folder in ("src", "tests") for path in (DASHBOARD / folder).rglob("*.ts*")]
    return [path for path in found if ".generated." not in path.name]


def test_its_types_are_those_of_python() -> None:
    """`python service/dashboard/scripts/wire_types.py` writes them."""
    assert {
        path.name for path, text in wire_types.files().items() if path.read_text("utf-8") != text
    } == set()


def test_it_is_linted_and_its_imports_run_one_way() -> None:
    node("node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings")


def test_its_modules_pass_their_own_tests() -> None:
    node("node_modules/vitest/vitest.mjs", "run")


def test_a_first_load_stays_small() -> None:
    if not (DASHBOARD / "static" / "index.html").exists():
        pytest.skip("the dashboard was not built: make ui")
    assert "of 120.0 kB at first" in node("scripts/bundleSize.mjs")


def test_text_never_becomes_markup() -> None:
    ways = (
        "dangerouslySetInnerHTML",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    )
    assert not [
        (path.name, way) for path in sources() for way in ways if way in path.read_text(encoding="utf-8")
    ]


def test_its_files_are_small_too() -> None:
    long = {
        path.name: count for path in sources() if (count := len(path.read_text("utf-8").splitlines())) > LINES
    }
    assert not long


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((DASHBOARD / "package-lock.json").read_text(encoding="utf-8"))
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
