"""None of the 26 is forgotten."""

import re
from pathlib import Path

NAMED = re.compile(r"^(?:async )?def test_(\d\d)_", re.MULTILINE)
RUNTIME = {2, 3, 15, 16, 17, 20, 24, 26}
"""Those that only a real runtime can break."""


def numbers(*files: Path) -> set[int]:
    return {int(number) for file in files for number in NAMED.findall(file.read_text(encoding="utf-8"))}


def test_each_of_the_26_has_its_test_in_the_interpreter() -> None:
    here = Path(__file__).parent
    pure = [file for file in here.glob("test_*.py") if file.name != "test_runtime.py"]
    assert numbers(*pure) == set(range(1, 27))


def test_and_those_of_the_runtime_in_the_runtime() -> None:
    assert numbers(Path(__file__).with_name("test_runtime.py")) == RUNTIME
