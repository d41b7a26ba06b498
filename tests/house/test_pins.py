"""pyproject.toml says what may be installed, constraints.txt what was tested: the second lies inside the first."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture(scope="module")
def requirements(root: Path) -> list[Requirement]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    return [found for found in map(Requirement, lines) if found.name != project["name"]]


@pytest.fixture(scope="module")
def pins(root: Path) -> list[Requirement]:
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def version(pin: Requirement) -> str:
    (specifier,) = pin.specifier
    assert specifier.operator == "=="
    return specifier.version


def test_nothing_is_pinned_twice(pins: list[Requirement]) -> None:
    names = [canonicalize_name(pin.name) for pin in pins]
    assert len(names) == len(set(names))


def test_every_dependency_is_pinned_inside_its_range(
    requirements: list[Requirement], pins: list[Requirement]
) -> None:
    pinned = {canonicalize_name(pin.name): version(pin) for pin in pins}
    outside = [
        str(wanted)
        for wanted in requirements
        if wanted.name != "vllm"  # the CPU build is what is tested here; a GPU machine takes the newest
        and not wanted.specifier.contains(pinned.get(canonicalize_name(wanted.name), "0"), prereleases=True)
    ]
    assert not outside
