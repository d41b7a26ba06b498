"""What the chaos tests share."""

from pathlib import Path

import pytest
from tests.chaos.world import make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated SQLite store, to be copied."""
    return make_template(tmp_path_factory.mktemp("template"))
