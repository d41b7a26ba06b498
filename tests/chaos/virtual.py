"""Time that passes only when everything waits, and never for real: an event loop on which a minute takes a moment."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH = 1_767_225_600.0
"""Unix seconds at which virtual time begins: 2026-01-01."""


class Stuck(Exception):
    """Everything waits, and for nothing that will ever happen."""


class _Timeless(selectors.SelectSelector):
    """Waits for no file: it lets the loop's clock jump to the next timer."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise Stuck
        if not ready and timeout:
            self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing on it depends on the machine: no thread runs beside it, so a seed decides all."""

    def __init__(self) -> None:
        selector = _Timeless()
        selector.loop = self
        self.now = 0.0
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
            done.set_exception(error)
        return done


def unix_now() -> float:
    return EPOCH + asyncio.get_running_loop().time()


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
