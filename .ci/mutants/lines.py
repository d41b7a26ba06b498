"""Tells which tests run which line, and how long each takes: a plug-in of pytest, with coverage.py."""

import functools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

OUT, ROOT = Path(os.environ["LINES"]), Path.cwd()


def run_ours_each_time(keep: Callable[..., Any]) -> Callable[..., Any]:
    """A cache that keeps nothing for our own functions: else only the first test that calls one would run its lines."""

    @functools.wraps(keep)
    def decorate(*told: Any, **options: Any) -> Any:
        if not (told and callable(told[0])):
            return lambda function: (
                decorate(function) if is_ours(function) else keep(*told, **options)(function)
            )
        return uncached(told[0]) if is_ours(told[0]) else keep(*told, **options)

    return decorate


def is_ours(function: Callable[..., Any]) -> bool:
    return function.__module__.startswith("anabranch.")


def uncached(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **rest: Any) -> Any:
        return function(*args, **rest)

    call.cache_clear = lambda: None  # type: ignore[attr-defined]
    return call


functools.cache, functools.lru_cache = (
    run_ours_each_time(each) for each in (functools.cache, functools.lru_cache)
)

seconds: dict[str, float] = {}
covered = coverage.Coverage(
    data_file=None, include=[f"{ROOT}/{folder}/*" for folder in ("dag", "service", "workers")]
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
