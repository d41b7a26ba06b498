"""Lists the mutants of files; run by the Python that has cosmic-ray.

python listing.py OUT FILE...               (from the root of the checkout)
"""

import ast
import difflib
import re
import sys
import tomllib
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from mutant import Mutant, write

SETTINGS = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutants"]
EXCLUDED, IDLE = (re.compile("|".join(SETTINGS[which])) for which in ("excluded", "idle-lines"))


def mutants_of(path: str) -> list[Mutant]:
    """All of a file: no excluded operators, no lines that decide nothing."""
    text = Path(path).read_text()
    return [
        Mutant(path, first, last, changed_lines(text, new), new)
        for name in operator_names()
        if not EXCLUDED.match(name) and not get_operator(name).arguments()
        for first, last, new in changes(text, name)
        if not IDLE.search(text.splitlines()[first - 1])
    ]


def changes(text: str, operator: str) -> Iterator[tuple[int, int, str]]:
    """The first and the last line of each change that an operator makes, and the whole text with it."""
    change = get_operator(operator)()
    places = [place for node in ast_nodes(get_ast(text)) for place in change.mutation_positions(node)]
    for occurrence, (start, end) in enumerate(places):
        new = mutate_code(text, get_operator(operator)(), occurrence)
        if new is not None and is_python(new):
            yield start[0], end[0], new


def is_python(text: str) -> bool:
    """Whether it can be compiled: `if not x := f():` cannot."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def changed_lines(old: str, new: str) -> str:
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0))
    return "\n".join(line for line in lines[2:] if not line.startswith("@@"))


if __name__ == "__main__":
    with Pool() as pool:
        write(Path(sys.argv[1]), (each for some in pool.imap(mutants_of, sys.argv[2:]) for each in some))
