"""Describes a mutant, and keeps what came of each."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file."""

    path: str
    first: int
    """The first and the last line that it changes."""
    last: int
    diff: str
    text: str
    """The whole changed file."""

    @property
    def key(self) -> str:
        """Names the change, and the file as it was: another text of the file has other mutants."""
        return hashlib.sha256(f"{self.path}\n{self.text}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a mutant: `killed`, `killed by time`, `lived`, `run by no test`, or `outside` of functions, where
    forks do not reach."""

    key: str
    outcome: str
    by: str = ""
    """The test that noticed."""


def write(path: Path, these: Iterable[Mutant | Result], *, mode: str = "w") -> None:
    with path.open(mode) as file:
        file.writelines(json.dumps(asdict(each)) + "\n" for each in these)


def read_mutants(path: Path) -> list[Mutant]:
    return [Mutant(**json.loads(line)) for line in path.read_text().splitlines()]


def read_results(path: Path) -> dict[str, Result]:
    """The last result of each mutant, by its key."""
    lines = path.read_text().splitlines() if path.exists() else []
    results = [Result(**json.loads(line)) for line in lines]
    return {each.key: each for each in results}
