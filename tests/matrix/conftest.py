"""The matrix of clients: other people's packages, as their users call them, against a real service.

These tests run in environments of their own (`make test-clients`), because what the packages need does not go together,
neither with vLLM nor all with each other. Nothing of Anabranch is imported here.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("ANABRANCH_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
"""Of the environment that holds the service."""


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL that every OpenAI client is given."""
    folder = tmp_path_factory.mktemp("state")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANABRANCH_")}
    process = subprocess.Popen(
        [PYTHON, "-m", "tests.matrix.service", str(folder)],
        cwd=ROOT,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
    )
    with process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the service did not start"
        yield f"{address}/v1"
