"""`anabranch api`: REST alone, as a process beside a cluster."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.databases import Databases

PROGRAM = """
import atexit, sys
atexit.register(lambda: print("ray" in sys.modules))
from anabranch.service.cli import main
main()
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    databases = Databases(tmp_path)
    yield databases.new("postgres")
    databases.close()


def test_sqlite_is_refused_in_one_sentence(anabranch: Any) -> None:
    ran = anabranch("api", "--port", "0")
    assert ran.code == 2
    assert ran.err.startswith("anabranch: ANABRANCH_DATABASE: a service of several processes")
    assert ran.err.count("\n") == 1


@pytest.mark.postgres
def test_it_serves_until_sigterm_and_never_imports_ray(database: str, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANABRANCH_")}
    environment = kept | {"ANABRANCH_STATE": str(tmp_path), "ANABRANCH_DATABASE": database}
    command = [sys.executable, "-c", PROGRAM, "api", "--host", "127.0.0.1", "--port", "0", "--json"]
    with subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE) as api:
        try:
            assert api.stdout is not None
            told = "".join(iter(api.stdout.readline, "}\n")) + "}"
            url = json.loads(told)["url"]
            assert httpx.get(f"{url}/readyz").status_code == 200
            submitted = httpx.post(f"{url}/v1/jobs", json={"question": "What is six times seven?"})
            assert submitted.status_code == 202
            api.send_signal(signal.SIGTERM)
            assert api.wait(60) == 0
            assert api.stdout.read() == "False\n"
        finally:
            api.kill()


def test_the_schema_is_brought_up_in_the_database_that_is_named(anabranch: Any, tmp_path: Path) -> None:
    named = f"sqlite:///{tmp_path / 'named.db'}"
    assert anabranch("db", "upgrade", "--database", named).code == 0
    assert anabranch("db", "check", "--database", named).code == 0
    assert (tmp_path / "named.db").exists()
