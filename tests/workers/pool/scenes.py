"""A pool of two replicas in virtual time: replicas that say what a test wants, when it wants it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from types import SimpleNamespace
from typing import Any

from tests.chaos.virtual import run_virtually
from tests.workers.conftest import Listener, RequestFor

from anabranch.dag.decoding import Decoded, Finish
from anabranch.workers.messages import DecodeRequest, Key, Message, SegmentDone
from anabranch.workers.pool.serve import ServePool
from anabranch.workers.replica.replica import Batch, ReplicaState

PLACES = {"a": 64, "b": 64}


class Stream:
    """What one call hears; silent where nothing is said."""

    def __init__(self, replica: str, requests: tuple[DecodeRequest, ...]) -> None:
        self.replica, self.requests = replica, requests
        self.cancelled = False
        self._said: asyncio.Queue[Batch | Exception | None] = asyncio.Queue()
        self.say()

    def say(self, *messages: Message) -> None:
        self.tell(Batch(self.replica, list(messages)))

    def tell(self, batch: Batch) -> None:
        self._said.put_nowait(batch)

    def end(self, request: DecodeRequest, text: str = "42") -> None:
        """Says the last of a decode."""
        self.say(SegmentDone(key=request.key, segment=0, decoded=Decoded(text=text, finish=Finish.EOS)))

    def break_off(self, error: Exception | None = None) -> None:
        """Ends the call, with an error or as if all were said."""
        self._said.put_nowait(error)

    def cancel(self) -> None:
        self.cancelled = True

    async def __aiter__(self) -> AsyncIterator[Batch]:
        while (said := await self._said.get()) is not None:
            if isinstance(said, Exception):
                raise said
            yield said


class FakeServe:
    """In the place of Serve's handle: hands out streams, notes aborts, and answers `describe` for replicas that are
    well."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.aborts: list[tuple[str, tuple[Key, ...]]] = []
        self.well = set(PLACES)

    def options(self, *, method_name: str = "", **_: Any) -> Any:
        answers: dict[str, Callable[..., Any]] = {
            "decode": self._decode,
            "describe": self._describe,
            "abort": self._abort,
        }
        return SimpleNamespace(remote=answers[method_name]) if method_name else self

    async def shutdown_async(self) -> None: ...

    def _decode(self, requests: tuple[DecodeRequest, ...], *, replica: str, caller: str) -> Stream:
        assert caller, "the replica tells it what others have read"
        self.streams.append(Stream(replica, requests))
        return self.streams[-1]

    async def _abort(self, keys: tuple[Key, ...], *, replica: str) -> None:
        self.aborts.append((replica, keys))

    async def _describe(self, *, replica: str) -> ReplicaState:
        while replica not in self.well:
            await asyncio.sleep(0.1)
        capabilities: Any = None
        return ReplicaState(replica=replica, capabilities=capabilities, decoding=0, max_decodes=64, calls=0)


class Scene:
    """A pool of two replicas, as one process has it."""

    def __init__(self, request_for: RequestFor) -> None:
        self.serve, self.listener = FakeServe(), Listener()
        self.pool = ServePool("app", handle=self.serve)
        self.pool._learn(PLACES)
        self._request_for = request_for

    def start(self, branch: str = "0.1", **more: Any) -> DecodeRequest:
        request = self._request_for(branch, **more)
        self.pool.start([request], self.listener)
        return request

    @property
    def faults(self) -> list[str]:
        ends = self.listener.ends().values()
        return [end.decoded.fault.detail for end in ends if end.decoded.fault is not None]


def play(request_for: RequestFor, story: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        scene = Scene(request_for)
        await story(scene)
        await scene.pool.close()

    run_virtually(main())
