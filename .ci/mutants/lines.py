"""Tells which tests run which line, and how long each takes: a plug-in of pytest, with coverage.py."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

OUT, ROOT = Path(os.environ["LINES"]), Path.cwd()
seconds: dict[str, float] = {}
covered = coverage.Coverage(
    data_file=None,
    include=[f"{ROOT}/{folder}/*" for folder in ("dag", "service", "workers")],
    concurrency=["greenlet", "thread"],
)
covered.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    covered.switch_context(item.nodeid)
    began = time.process_time()
    yield
    seconds[item.nodeid] = time.process_time() - began
    covered.switch_context("")


def pytest_sessionfinish(exitstatus: int) -> None:
    """Writes what was found. Nothing where a test fails over the code as it is: it could tell nothing."""
    covered.stop()
    if exitstatus != pytest.ExitCode.OK:
        return
    data = covered.get_data()
    lines = {
        str(Path(file).relative_to(ROOT)): {
            line: [test for test in tests if test] for line, tests in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }
    OUT.write_text(json.dumps({"lines": lines, "seconds": seconds}))
