"""Each overlay of deploy/, rendered."""

from pathlib import Path

import pytest
from tests.deploy.manifests import OVERLAYS, Documents, render


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(params=OVERLAYS)
def documents(request: pytest.FixtureRequest) -> Documents:
    return render(request.param)
