"""The checkout itself as the thing under test."""

from pathlib import Path

import pytest

PACKAGES = ("dag", "workers", "service", "migrations")


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def sources(root: Path) -> list[Path]:
    """Every Python file of the four packages, relative to the checkout."""
    return sorted(
        path.relative_to(root)
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
        if "node_modules" not in path.parts
    )
