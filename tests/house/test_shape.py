"""Files and functions stay small enough to hold in one's head. Raising a cap is a visible line here, with a reason."""

import ast
from pathlib import Path

import pytest

FILE_CAP = 300
HARD_CAP = 400
FUNCTION_CAP = 60

LONGER_FILES = {
    "dag/actions.py": "all a policy may want, in one catalogue",
    "dag/events.py": "all that can happen, in one catalogue",
    "dag/state.py": "the one transition table, kept in one place",
    "service/settings/fields.py": "all that an operator can set, in one catalogue",
    "service/store/sql/tables.py": "all tables, in one catalogue",
}
LONGER_FUNCTIONS: dict[str, str] = {}

# A revision tells one schema change from top to bottom and is never touched again.
REVISIONS = Path("migrations/versions")

SHAPELESS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> list[tuple[str, int]]:
    """Each function of the file with its length in lines, decorators and docstring not counted."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, FunctionNode):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = node.end_lineno - body[0].lineno + 1 if body and node.end_lineno else 0
            found.append((f"{path}:{node.name}", lines))
    return found


def test_no_file_is_longer_than_the_cap(root: Path, sources: list[Path]) -> None:
    too_long = {
        str(path): lines
        for path in sources
        if (lines := length(root / path)) > (HARD_CAP if str(path) in LONGER_FILES else FILE_CAP)
    }
    assert not too_long, f"cut these, or give a reason in LONGER_FILES: {too_long}"


def test_no_function_is_longer_than_the_cap(
    root: Path, sources: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    too_long = {
        name: lines
        for path in sources
        if path.parent != REVISIONS
        for name, lines in functions(path)
        if lines > FUNCTION_CAP and name not in LONGER_FUNCTIONS
    }
    assert not too_long, f"cut these, or give a reason in LONGER_FUNCTIONS: {too_long}"


def test_exceptions_are_still_needed(root: Path) -> None:
    idle = [name for name in LONGER_FILES if not (root / name).exists() or length(root / name) <= FILE_CAP]
    assert not idle, f"no longer over the cap, take them off the list: {idle}"


def test_every_file_is_named_for_what_it_holds(sources: list[Path]) -> None:
    assert not [path for path in sources if path.stem in SHAPELESS or path.parent.name in SHAPELESS]
