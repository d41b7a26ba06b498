"""What can go wrong between an organizer and the rest of the world, drawn from a seed."""

import asyncio
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, event
from tests.chaos.virtual import EPOCH, unix_now

from anabranch.dag.decoding import Decoded, Fault, Finish, Usage
from anabranch.dag.ids import BranchId, JobId
from anabranch.dag.room import StepFit, Streams
from anabranch.service.store.sql import database
from anabranch.service.store.sql.database import with_driver
from anabranch.service.store.store import Store
from anabranch.workers.messages import DecodeRequest, Key, Message, SegmentDone, TextPiece
from anabranch.workers.pool.local import LocalPool
from anabranch.workers.pool.protocol import Deliver, PoolLoad

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """Probabilities, each per chance it has."""

    death: float = 0.08
    """At each commit: half of them just before it, half just after."""
    refusal: float = 0.01
    """A transaction fails before it is committed."""
    lost_reply: float = 0.01
    """A transaction is committed, and its caller hears that the store is away."""
    replica_death: float = 0.03
    lost_text: float = 0.05
    twice: float = 0.05
    late: float = 0.3


USUAL = Odds()
CALM = Odds(death=0, refusal=0, lost_reply=0, replica_death=0, lost_text=0, twice=0, late=0)


@dataclass(slots=True, kw_only=True)
class Process:
    """The process that an organizer (or a client) is in: alive, paused, or dead. Dead, it does nothing any more."""

    name: str
    dice: random.Random
    odds: Odds
    alive: bool = True
    running: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared while it is stopped (SIGSTOP)."""
    on_death: Callable[["Process"], None] = lambda _: None
    store_away: asyncio.Event = field(default_factory=asyncio.Event)
    commits: int = 0

    def __post_init__(self) -> None:
        self.running.set()

    def chance(self, odds: float) -> bool:
        return odds > 0 and self.dice.random() < odds

    def die(self) -> None:
        if self.alive:
            self.alive = False
            self.on_death(self)

    async def live(self) -> None:
        """A dead process executes nothing; a stopped one goes on later as if nothing had happened."""
        await self.running.wait()
        if not self.alive:
            raise asyncio.CancelledError

    async def lag(self) -> None:
        await asyncio.sleep(self.dice.expovariate(500.0))
        await self.live()


_COMPILED: dict[Any, Any] = {}
"""Statements, compiled once for all worlds: it would cost more than running them."""


class Disk:
    """The database file of one world, without threads, in virtual time. Every transaction is a whole."""

    def __init__(self, url: str) -> None:
        parsed = with_driver(url)
        engines = (database._sqlite_writer(parsed), database._sqlite_reader(parsed, 2))
        for engine in engines:
            event.listen(engine, "connect", _on_virtual_time)
        self.writer, self.reader = (engine.execution_options(compiled_cache=_COMPILED) for engine in engines)

    def close(self) -> None:
        self.writer.dispose()
        self.reader.dispose()


class Doors:
    """The store's doors, through which this process goes at its own risk."""

    def __init__(self, disk: Disk, process: Process) -> None:
        self._disk, self._process = disk, process

    async def write(self, work: Callable[[Connection], T]) -> T:
        process, odds = self._process, self._process.odds
        await self._reach()
        if process.chance(odds.refusal):
            raise OSError("refused")
        if process.chance(odds.death / 2):
            process.die()
            await process.live()
        with self._disk.writer.begin() as connection:
            result = work(connection)
        process.commits += 1
        if process.chance(odds.death / 2):
            process.die()
        await process.lag()
        if process.chance(odds.lost_reply):
            raise OSError("the connection was lost while it committed")
        return result

    async def read(self, work: Callable[[Connection], T]) -> T:
        await self._reach()
        with self._disk.reader.connect() as connection:
            return work(connection)

    async def snapshot(self, work: Callable[[Connection], T]) -> T:
        return await self.read(work)

    async def close(self) -> None:
        """The disk outlives its processes."""

    async def _reach(self) -> None:
        await self._process.lag()
        if self._process.store_away.is_set():
            raise OSError("no route to the store")


def _on_virtual_time(connection: sqlite3.Connection, _record: Any) -> None:
    loop = asyncio.get_running_loop()

    def strftime(_format: str, _now: str, more: str) -> str:
        moment = datetime.fromtimestamp(EPOCH + loop.time() + float(more.partition(" ")[0]), UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}000Z"

    connection.create_function("strftime", 3, strftime)


def store_of(disk: Disk, process: Process) -> Store:
    """The real store, in this process."""

    def now() -> datetime:
        return datetime.fromtimestamp(unix_now(), UTC)

    store = Store(str(disk.writer.url), now)
    store.database._doors = Doors(disk, process)  # type: ignore[assignment]
    return store


Segment = tuple[JobId, BranchId, int, int]
"""1 at the end: of two decodes of this segment the second."""


@dataclass(slots=True)
class Meter:
    """What the engine decoded and told somebody alive."""

    reported: dict[Segment, list[Usage]] = field(default_factory=lambda: defaultdict(list))
    """More than one where a stopped organizer still listened while its successor had the segment decoded again."""
    pieces: dict[Segment, int] = field(default_factory=lambda: defaultdict(int))
    replica_deaths: int = 0
    second_decodes: int = 0
    """Of segments that were late beside their siblings."""


class Wire:
    """The pool as one organizer reaches it: calls are lost with their replica; messages come late, twice, or, if they
    are only text, not at all. The end of each decode comes, and after its earlier segments: the pool promises both."""

    def __init__(self, pool: LocalPool, process: Process, meter: Meter) -> None:
        self._pool, self._process, self._meter = pool, process, meter
        self._after: dict[Key, float] = {}

    def start(self, requests: Sequence[DecodeRequest], deliver: Deliver) -> None:
        if not self._process.alive:
            return
        if self._process.chance(self._process.odds.replica_death):
            self._meter.replica_deaths += 1
            for request in requests:
                self._carry(deliver, _died(request))
        else:
            self._meter.second_decodes += sum(request.key.copy for request in requests)
            self._after |= dict.fromkeys((request.key for request in requests), 0.0)
            self._pool.start(requests, lambda message: self._carry(deliver, message))

    def abort(self, keys: Sequence[Key]) -> None:
        if self._process.alive:
            self._pool.abort(keys)

    def streams(self, model: str | None) -> tuple[Streams, StepFit]:
        return self._pool.streams(model)

    def elsewhere(self, key: Key) -> bool:
        return self._pool.elsewhere(key)

    def load(self) -> PoolLoad:
        return self._pool.load()

    async def close(self) -> None:
        """The pool outlives its organizers."""

    def hang_up(self) -> None:
        """The organizer is gone: replicas notice, and stop what it had asked for."""
        self._pool.abort(tuple(self._after))

    def _carry(self, deliver: Deliver, message: Message) -> None:
        process, odds = self._process, self._process.odds
        if isinstance(message, TextPiece) and process.chance(odds.lost_text):
            return
        loop = asyncio.get_running_loop()
        late = process.dice.expovariate(5.0) if process.chance(odds.late) else 0.001
        at = max(loop.time() + late, self._after.get(message.key, 0.0) + 1e-6)
        if isinstance(message, SegmentDone):
            self._after[message.key] = at
        loop.call_at(at, self._arrive, deliver, message)
        if process.chance(odds.twice):
            loop.call_at(at + process.dice.expovariate(1.0), self._arrive, deliver, message)

    def _arrive(self, deliver: Deliver, message: Message) -> None:
        if not self._process.alive:
            return
        if not self._process.running.is_set():  # it lies in the socket until the process goes on
            asyncio.get_running_loop().call_later(0.05, self._arrive, deliver, message)
            return
        key = message.key
        segment = (key.job, key.branch, message.segment, key.copy * (message.segment == key.segment))
        if isinstance(message, SegmentDone):
            self._meter.reported[segment].append(message.decoded.usage)
        else:
            self._meter.pieces[segment] = max(self._meter.pieces[segment], message.tokens)
        deliver(message)


def _died(request: DecodeRequest) -> SegmentDone:
    fault = Fault(cause="replica-died", detail="killed by the harness")
    decoded = Decoded(text="", finish=Finish.ERROR, fault=fault, replica="gone")
    return SegmentDone(key=request.key, segment=request.key.segment, decoded=decoded)
