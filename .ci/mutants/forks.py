"""Tries mutants in forks of a process that has loaded all tests: a plug-in of pytest that does so in place of them.

A fork gives the mutant's code to the functions that it changes, and runs the tests that run its lines, until one fails:
first those of the module's own folder below tests/, then the quickest. A change outside of functions (a constant, a
default, a class) was taken in by whoever imported it, and is left to `imported.py`.
"""

import gc
import json
import os
import resource
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType
from typing import NoReturn

import pytest
from mutant import Mutant, Result, read_mutants, write

ROOT, RESULTS = Path.cwd(), Path(os.environ["RESULTS"])
LANES = os.cpu_count() or 1
WALL_SECONDS, PROCESSOR_SECONDS = 300, 20
"""After which a fork is ended, the latter beyond three times what its tests take. Its mutant counts as killed: they
waited for ever, or worked for ever."""
LIVED, KILLED = 0, 1


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    tests, functions, forks = Tests(session.items), functions_of_the_checkout(), Forks()
    for mutant in read_mutants(Path(os.environ["LEFT"])):
        chosen = tests.of(mutant)
        change = changed(mutant, functions[mutant.path])
        if change is None or not chosen:  # what no test runs may be run by whoever imports it
            tell(Result(mutant.key, "outside"))
        else:
            forks.start(mutant, change, chosen, tests.seconds_of(chosen))
    forks.wait(0)
    return True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """In a fork: the first test that fails ends it."""
    if report.failed:
        end_fork(KILLED, report.nodeid)


class Tests:
    """Chooses the tests of a mutant."""

    def __init__(self, items: Sequence[pytest.Item]) -> None:
        told = json.loads(Path(os.environ["LINES"]).read_text())
        self._items = {each.nodeid: each for each in items}
        self._lines: Mapping[str, Mapping[str, list[str]]] = told["lines"]
        self._seconds: Mapping[str, float] = told["seconds"]

    def of(self, mutant: Mutant) -> list[pytest.Item]:
        lines = self._lines.get(mutant.path, {})
        names = {name for line in range(mutant.first, mutant.last + 1) for name in lines.get(str(line), [])}
        room = f"tests/{mutant.path.removesuffix('.py').rpartition('/')[0]}/"
        near = {name for name in names if name.startswith(room)}
        return [
            self._items[name]
            for name in sorted(names, key=lambda each: (each not in near, self._seconds[each]))
        ]

    def seconds_of(self, items: Sequence[pytest.Item]) -> float:
        return sum(self._seconds[each.nodeid] for each in items)


def functions_of_the_checkout() -> dict[str, list[FunctionType]]:
    """All functions there are, by the file that they were written in."""
    gc.unfreeze()  # what is frozen is not told (tests/conftest.py)
    found = defaultdict[str, list[FunctionType]](list)
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(f"{ROOT}/.dev/"):
            found[str(Path(each.__code__.co_filename).resolve().relative_to(ROOT))].append(each)
    gc.freeze()
    return found


def changed(mutant: Mutant, functions: Sequence[FunctionType]) -> Callable[[], None] | None:
    """Gives the functions the mutant's code; None if it changes what is outside of them."""
    before, after = (
        compile(text, mutant.path, "exec") for text in ((ROOT / mutant.path).read_text(), mutant.text)
    )
    old, new = dict(codes_in(before)), dict(codes_in(after))
    within = [f"{each.__code__.co_qualname}." for each in functions]
    other = {where for where, code in new.items() if where not in old or own(code) != own(old[where])}
    inside = all(f"{name}.".startswith(tuple(within)) for name, _ in other)
    if own(before) != own(after) or not inside or not all(fits(new, each.__code__) for each in functions):
        return None

    def change() -> None:
        for each in functions:
            each.__code__ = new.get(place(each.__code__), each.__code__)

    return change


def fits(new: Mapping[tuple[str, int], CodeType], code: CodeType) -> bool:
    """Whether a function of this code can be given its new one: Python wants as many free variables."""
    return len(new.get(place(code), code).co_freevars) == len(code.co_freevars)


def codes_in(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield place(each), each
            yield from codes_in(each)


def place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def own(code: CodeType) -> tuple[object, ...]:
    """What a code does, but for the codes within it."""
    constants = [(type(each), "" if isinstance(each, CodeType) else repr(each)) for each in code.co_consts]
    return code.co_code, constants, code.co_names


class Forks:
    """Runs a few forks at a time, and tells what came of each."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[Mutant, float]] = {}

    def start(
        self, mutant: Mutant, change: Callable[[], None], items: Sequence[pytest.Item], seconds: float
    ) -> None:
        self.wait(LANES - 1)
        fork = os.fork()
        if fork:
            self._running[fork] = mutant, time.monotonic()
            return
        os.setpgid(0, 0)
        silence = os.open(os.devnull, os.O_RDWR)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS + int(3 * seconds),) * 2)
        try:
            change()
            for item, following in zip(items, [*items[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        except BaseException as broken:  # noqa: BLE001  # whatever it is, the mutant made it
            end_fork(KILLED, repr(broken))
        end_fork(LIVED)

    def wait(self, running: int) -> None:
        """Until no more than so many run."""
        while len(self._running) > running:
            fork, status = os.waitpid(-1, os.WNOHANG)
            if fork in self._running:
                self._end(fork, os.waitstatus_to_exitcode(status))
                continue
            for late, (_, began) in self._running.items():
                if time.monotonic() - began > WALL_SECONDS:
                    os.kill(late, signal.SIGKILL)
            time.sleep(0.02)

    def _end(self, fork: int, status: int) -> None:
        mutant, _ = self._running.pop(fork)
        with suppress(ProcessLookupError):
            os.killpg(fork, signal.SIGKILL)  # what its tests had started
        noticed = noticed_by(fork)
        by = noticed.read_text() if noticed.exists() else ""
        noticed.unlink(missing_ok=True)
        outcome = {LIVED: "lived", KILLED: "killed"}.get(status, "killed by time")
        tell(Result(mutant.key, outcome, by))


def end_fork(status: int, by: str = "") -> NoReturn:
    noticed_by(os.getpid()).write_text(by)
    os._exit(status)


def noticed_by(fork: int) -> Path:
    return RESULTS.with_name(f"noticed-by-{fork}")


def tell(result: Result) -> None:
    write(RESULTS, [result], mode="a")
